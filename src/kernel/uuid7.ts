/**
 * UUIDv7 (RFC 9562 §5.7) in the order in which one process makes them.
 *
 * 48 bits of milliseconds, a counter of 12 bits (§6.2, method 1) and 62 random bits. Put together as text, because filling
 * bytes and printing them takes several times as long, and the edge makes one for each event.
 */

const counterMax = 0xfff;
/** A millisecond begins in the lower half of the counter, so that at least 2,048 ids find room in it. */
const counterStartMax = 0x7ff;
/** From the variant on, a version 4 is what a version 7 has there. */
const variantAt = 18;

/**
 * A source of ids, each greater as text than the ones before. `nowMs` is the wall clock; when it goes back, the last time
 * stays. `uuid4` gives new random UUIDs of version 4.
 */
export function uuid7Source(nowMs: () => number, uuid4: () => string): () => string {
  let lastMs = -1;
  let counter = counterMax;
  let prefix = "";
  return () => {
    const random = uuid4();
    const now = nowMs();
    if (now > lastMs || counter === counterMax) {
      lastMs = Math.max(now, lastMs + 1);
      counter = Number.parseInt(random.slice(0, 3), 16) & counterStartMax;
      const time = lastMs.toString(16).padStart(12, "0");
      prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`;
    } else {
      counter++;
    }
    return prefix + counter.toString(16).padStart(3, "0") + random.slice(variantAt);
  };
}
