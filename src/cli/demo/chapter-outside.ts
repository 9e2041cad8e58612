/** Chapter 5: the calls to the service outside, counted on both sides. */
import { countOutside } from "./log-checks.js";
import { type Scene, shown, wholeLog } from "./scene.js";

/** Compares the book of the billing service with B's log: what was called, and what was called again. */
export async function countOutsideCalls(scene: Scene, betweenUs: number): Promise<void> {
  const { report, ledger, b, signal } = scene;
  await report.chapter("Outside of the plane: how often the billing service was called");
  const { asked, busy, again, broken } = countOutside(await wholeLog(b, signal), ledger.calls, betweenUs);
  await report.check(
    broken.length === 0,
    `${shown(asked)} calls asked for, each with one result in the log; the service did the work of each key once`,
  );
  await report.check(
    again > 0,
    `${shown(again)} of them were under way at the kill: nobody knew their outcome, so they were made again with the same key, once`,
  );
  await report.note(`${shown(busy)} times the service said that it is busy; the worker came back later`);
}
