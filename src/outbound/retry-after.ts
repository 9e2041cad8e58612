/** When to come again, as an answer says it (RFC 9110 §10.2.3). */

/** No wait that somebody else asks for is longer, milliseconds. */
const retryAfterMsMax = 86_400_000;

const day = /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Milliseconds from now, at most a day; undefined when the header is absent or says nothing. */
export function retryAfterMsOf(header: string | undefined, nowUs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Math.min(Number(header) * 1_000, retryAfterMsMax);
  const atMs = day.test(header) ? Date.parse(header) : Number.NaN;
  if (Number.isNaN(atMs)) return undefined;
  return Math.min(Math.max(0, atMs - nowUs / 1_000), retryAfterMsMax);
}
