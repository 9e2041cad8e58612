/** Reads an attached file, in a thread of its own: a file without end holds that thread, and nothing else. */

/** @param {{ payload: { pages: number } }} event */
export function scanFile({ payload }) {
  for (let page = 0; page !== payload.pages; page++);
}
