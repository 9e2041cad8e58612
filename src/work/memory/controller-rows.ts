/** What controllers have to do, counted over rows in memory. */
import type { ControllerRows, UnattendedRows } from "../port.js";
import type { WorkRow } from "./work-rows.js";

/** By component, in the order of their names. */
export function controllerRows(rows: readonly WorkRow[], nowUs: number): readonly ControllerRows[] {
  const busy = rows.filter(({ state }) => state !== "idle");
  const components = [...new Set(busy.map(({ component }) => component))].sort();
  return components.map((component) => {
    const own = busy.filter((row) => row.component === component);
    const waiting = own.filter(({ state }) => state === "ready");
    const dueUs = waiting.filter(({ leaseToken }) => leaseToken === null).map(({ dueAtUs }) => dueAtUs);
    return {
      component,
      waiting: waiting.length,
      deadLetters: own.filter(({ state }) => state === "dead").length,
      oldestSeconds: Math.max(0, nowUs - Math.min(nowUs, ...dueUs)) / 1_000_000,
    };
  });
}

/** Rows that are due for longer and of none of these components, by component. */
export function unattendedRows(
  rows: readonly WorkRow[],
  {
    components,
    nowUs,
    dueForMs,
  }: { readonly components: readonly string[]; readonly nowUs: number; readonly dueForMs: number },
): readonly UnattendedRows[] {
  const due = rows.filter(
    ({ component, leaseToken, dueAtUs }) =>
      leaseToken === null && dueAtUs <= nowUs - dueForMs * 1000 && !components.includes(component),
  );
  return [...new Set(due.map(({ component }) => component))].sort().map((component) => {
    const own = due.filter((row) => row.component === component);
    const oldestUs = Math.min(...own.map(({ dueAtUs }) => dueAtUs));
    return { component, rows: own.length, oldestSeconds: (nowUs - oldestUs) / 1_000_000 };
  });
}
