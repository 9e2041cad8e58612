/** What the main thread says of itself where another thread can read it: that it turns, and what it is in the middle of. */
import { inspectorUrl, monotonicMs } from "./process-wide.js";

/** Code of the application that the main thread runs. */
export interface Activity {
  readonly role: "controller" | "worker" | "guard" | "fold" | "projection";
  /** Of the controller, the worker, the projection; of the aggregate for guards and folds. */
  readonly name: string;
  readonly tenantId?: string;
  readonly aggregateType?: string;
  readonly aggregateId?: string;
}

const labelBytesMax = 1_024;
/** Two doubles, then two integers, then the label. */
const beatAt = 0;
const sinceAt = 1;
const integersFrom = 16;
const lengthAt = 0;
const inspectedAt = 1;
const labelFrom = 24;

/** The shared memory, seen from one of the threads. */
interface Views {
  readonly times: Float64Array;
  readonly integers: Int32Array;
  readonly label: Uint8Array;
}

function viewsOf(memory: SharedArrayBuffer): Views {
  return {
    times: new Float64Array(memory, 0, 2),
    integers: new Int32Array(memory, integersFrom, 2),
    label: new Uint8Array(memory, labelFrom, labelBytesMax),
  };
}

const encoder = new TextEncoder();

/** The main thread's side. */
export class LoopMarks {
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(labelFrom + labelBytesMax);
  readonly #views: Views = viewsOf(this.memory);
  readonly #onHeld: (held: { readonly activity: Activity; readonly ms: number }) => void;
  readonly #heldMsMin: number;

  /** @param options.onHeld told afterwards of what took `heldMsMin` or longer; it does not throw */
  constructor(options: {
    readonly heldMsMin: number;
    readonly onHeld: (held: { readonly activity: Activity; readonly ms: number }) => void;
  }) {
    this.#heldMsMin = options.heldMsMin;
    this.#onHeld = options.onHeld;
  }

  /** The event loop turns. */
  beat(): void {
    this.#views.times[beatAt] = monotonicMs();
    this.#views.integers[inspectedAt] = inspectorUrl() === undefined ? 0 : 1;
  }

  /** Runs `work`, which is this. What it returns may be a promise: only what holds the thread counts. */
  run<Result>(activity: Activity, work: () => Result): Result {
    const { times, integers, label } = this.#views;
    const sinceMs = monotonicMs();
    integers[lengthAt] = encoder.encodeInto(JSON.stringify(activity), label).written;
    times[sinceAt] = sinceMs;
    try {
      return work();
    } finally {
      times[sinceAt] = 0;
      const ms = monotonicMs() - sinceMs;
      if (ms >= this.#heldMsMin) this.#onHeld({ activity, ms });
    }
  }
}

/** How the main thread stands. */
export interface LoopState {
  /** Monotonic time of the last beat; 0: there was none yet. */
  readonly beatMs: number;
  /** What it is in the middle of, and since when. */
  readonly activity: Activity | undefined;
  readonly sinceMs: number;
  /** A debugger is attached: whoever stands at a breakpoint stands still on purpose. */
  readonly isInspected: boolean;
}

/** The other side. The result is exact while the main thread stands still, which is when it matters. */
export function loopState(memory: SharedArrayBuffer): LoopState {
  const { times, integers, label } = viewsOf(memory);
  const sinceMs = times[sinceAt] ?? 0;
  const isInspected = integers[inspectedAt] === 1;
  const text = Buffer.from(label.slice(0, integers[lengthAt] ?? 0)).toString("utf8");
  return { beatMs: times[beatAt] ?? 0, activity: sinceMs === 0 ? undefined : activityIn(text), sinceMs, isInspected };
}

/** undefined for a label that was being written at that moment. */
function activityIn(text: string): Activity | undefined {
  try {
    return JSON.parse(text) as Activity; // `run` wrote it
  } catch {
    return undefined;
  }
}
