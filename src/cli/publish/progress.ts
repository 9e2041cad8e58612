/** The way of one resource to rest, as a line: phases, and each controller's mark. */
import type { Event } from "../../event/index.js";
import { formatMs } from "../duration.js";
import { type Paints, safe } from "../terminal.js";

/**
 * How a generation came to rest. `stalled`: a controller or a worker gave up, a dead letter waits. `held`: nobody knows what
 * became of an outside call, somebody has to decide.
 */
export type Settlement = "ready" | "deleted" | "rejected" | "stalled" | "held";

interface Mark {
  readonly isDone: boolean;
  /** When it said first that it waits, and for which worker. */
  readonly waitingSinceMs?: number;
  readonly worker?: string;
  readonly waitedMs: number;
}

const settlements: Readonly<Record<string, { readonly phase: string; readonly settlement: Settlement }>> = {
  ready: { phase: "Ready", settlement: "ready" },
  deleted: { phase: "Deleted", settlement: "deleted" },
  rejected: { phase: "Failed", settlement: "rejected" },
  "dead-lettered": { phase: "Failed", settlement: "stalled" },
  "effect-unknown": { phase: "Progressing", settlement: "held" },
};

/** Folds the events of one stream from an intent on. */
export class Progress {
  readonly #name: string;
  #phases: string[] = ["Pending"];
  #marks = new Map<string, Mark>();
  #settlement: Settlement | undefined;

  /** @param name `organization/0190…` */
  constructor(name: string) {
    this.#name = name;
  }

  /** How it came to rest; undefined while it moves. */
  get settlement(): Settlement | undefined {
    return this.#settlement;
  }

  /** Takes the next event of the stream. */
  take(event: Event): void {
    if (event.kind === "intent") this.#open(event);
    else if (event.decision !== undefined) this.#derived(event, event.decision.component);
  }

  /** `organization/0190…  Pending → Progressing (quota ✓ billing: waiting) → Ready` */
  line(paints: Paints): string {
    const marks = [...this.#marks].map(([name, mark]) => markText(name, mark, paints)).join(" ");
    const phases = this.#phases.map((phase) =>
      phase === "Progressing" && marks !== "" ? `${phase} (${marks})` : phaseText(phase, paints),
    );
    return `${paints.bold(safe(this.#name))}  ${phases.join(" → ")}`;
  }

  #open(event: Event): void {
    this.#settlement = undefined;
    this.#phases = ["Pending"];
    this.#marks = new Map(Object.keys(event.finalizers).map((name) => [name, { isDone: false, waitedMs: 0 }]));
  }

  #derived(event: Event, component: string): void {
    const end = settlements[event.type.slice(event.type.indexOf(".") + 1)];
    const { controller, worker } = event.spec;
    if (component.startsWith("ask:") && typeof controller === "string" && typeof worker === "string")
      this.#wait(controller, worker, event);
    const finalizer = event.finalizers[component];
    if (finalizer !== undefined) this.#mark(component, event, finalizer.completed);
    if (end !== undefined) {
      if (this.#phases.at(-1) !== end.phase) this.#phases.push(end.phase);
      this.#settlement = end.settlement;
    } else if (this.#phases.at(-1) === "Pending") {
      this.#phases.push("Progressing");
    }
  }

  #wait(controller: string, worker: string, event: Event): void {
    const waitingSinceMs = this.#marks.get(controller)?.waitingSinceMs ?? Date.parse(event.recordedAt);
    this.#marks.set(controller, { isDone: false, waitedMs: 0, waitingSinceMs, worker });
  }

  #mark(component: string, event: Event, isDone: boolean): void {
    const nowMs = Date.parse(event.recordedAt);
    const { waitingSinceMs, worker } = this.#marks.get(component) ?? {};
    if (isDone)
      this.#marks.set(component, { isDone, waitedMs: waitingSinceMs === undefined ? 0 : nowMs - waitingSinceMs });
    else {
      const waits = { isDone, waitedMs: 0, waitingSinceMs: waitingSinceMs ?? nowMs };
      this.#marks.set(component, worker === undefined ? waits : { ...waits, worker });
    }
  }
}

function markText(name: string, { isDone, waitedMs, worker }: Mark, paints: Paints): string {
  if (!isDone) {
    return `${safe(name)}: ${paints.yellow("waiting")}${worker === undefined ? "" : ` for ${safe(worker)}`}`;
  }
  return `${safe(name)} ${paints.green("✓")}${waitedMs > 0 ? ` after ${formatMs(waitedMs)}` : ""}`;
}

function phaseText(phase: string, paints: Paints): string {
  if (phase === "Ready" || phase === "Deleted") return paints.green(phase);
  return phase === "Failed" ? paints.red(phase) : phase;
}
