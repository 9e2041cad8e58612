/** Which calls of a handler are measured. */

/** One call in 16, and after so many calls one in 64: two clock reads take as long as four calls. */
const measuredOften = 4_096;
const oftenMask = 15;
const seldomMask = 63;

/** In place of the time when a call began that is not measured. */
export const notMeasured = -1;

/** Whether call `number`, counted from 1, is measured. */
export function isMeasured(number: number): boolean {
  return (number & (number < measuredOften ? oftenMask : seldomMask)) === 0;
}
