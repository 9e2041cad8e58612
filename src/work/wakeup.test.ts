/** The bell of a loop. */
import { expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { Wakeup } from "./index.js";

function waiting(wakeup: Wakeup, ms: number, signal?: AbortSignal): { isOver: boolean; done: Promise<void> } {
  const state = { isOver: false, done: Promise.resolve() };
  state.done = wakeup.wait(ms, signal).then(() => {
    state.isOver = true;
  });
  return state;
}

test("a wait ends after its time, not before", async () => {
  const clock = new VirtualClock();
  const wait = waiting(new Wakeup(clock), 100);
  await clock.advance(99);
  expect(wait.isOver).toBe(false);
  await clock.advance(1);
  await wait.done;
  expect(clock.sleeping).toBe(0);
});

test("a ring ends the wait, and one while nobody waits ends the next", async () => {
  const clock = new VirtualClock();
  const wakeup = new Wakeup(clock);
  const first = waiting(wakeup, 100);
  wakeup.ring();
  await first.done;
  wakeup.ring();
  await waiting(wakeup, 100).done;
  const third = waiting(wakeup, 100);
  await clock.advance(50);
  expect(third.isOver).toBe(false);
  await clock.advance(50);
  await third.done;
});

test("an abort ends the wait and leaves no timer", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const wait = waiting(new Wakeup(clock), 100, stop.signal);
  stop.abort();
  await wait.done;
  expect(clock.sleeping).toBe(0);
});
