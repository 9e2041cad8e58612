/** How long some of a handler's calls take. */
import type { Clock } from "../kernel/index.js";
import { type Latency, LatencyHistogram } from "./latency-histogram.js";

/** One call in 16 is measured, and after so many calls one in 64: two clock reads take as long as four calls. */
const sampledOften = 4_096;
const oftenMask = 15;
const seldomMask = 63;

/** Of a call that is not measured. */
const notSampled = -1;

/** Chooses the calls that are measured. */
export class LatencySample {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #histogram = new LatencyHistogram();
  #calls = 0;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** A call begins. @returns what {@link LatencySample.end} is given when it has succeeded */
  begin(): number {
    const mask = ++this.#calls < sampledOften ? oftenMask : seldomMask;
    return (this.#calls & mask) === 0 ? this.#clock.monotonicMs() : notSampled;
  }

  /** A call has succeeded. */
  end(began: number): void {
    if (began !== notSampled) this.#histogram.add(this.#clock.monotonicMs() - began);
  }

  /** What is known up to now. */
  read(): Latency | undefined {
    return this.#histogram.read();
  }
}
