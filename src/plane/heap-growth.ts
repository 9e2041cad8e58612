/** How far the heap of a serving process grows before all of it is collected. */
import { setFlagsFromString } from "node:v8";

const percentOfLive = 50;

/**
 * Has V8 collect in full when the heap is half as large again as what was alive after the last time.
 *
 * By itself V8 lets a small heap grow to four times that on a machine with much memory: garbage that costs nothing on a
 * workstation and is the size of the process in a container. A plane keeps 30 to 50 MB alive and makes steady garbage, so it
 * collects every few seconds then, for 5 to 15 ms of its thread beside concurrent marking. For processes that serve a plane and do
 * nothing else: the setting is one of the whole process.
 */
export function boundHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${percentOfLive}`);
}
