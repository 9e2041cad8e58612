/** What drainers of intakes report. */
import { Counter, Gauge, type Registry } from "prom-client";
import { label } from "./label.js";

/** Of the intakes of a process. Methods never throw. */
export interface IntakeMetrics {
  /** What became of a row of an intake: `accepted`, `repeated`, `refused`, or `later` when the system was not able to. */
  intakeDrained(labels: { readonly intake: string; readonly result: string }): void;
  /** Rows of an intake that wait and that were refused, and the age of the oldest that waits. */
  intakeStanding(standing: {
    readonly intake: string;
    readonly waiting: number;
    readonly oldestSeconds: number;
    readonly refused: number;
  }): void;
}

/** Makes them in the registry. */
export function intakeMetrics(registry: Registry): IntakeMetrics {
  const registers = [registry];
  const drained = new Counter({
    name: "eventplane_intake_total",
    help: "Rows of intakes that were published, by intake and by what became of them.",
    labelNames: ["intake", "result"],
    registers,
  });
  const rows = new Gauge({
    name: "eventplane_intake_rows",
    help: "Rows of an intake that wait, or that were refused and wait for somebody's decision.",
    labelNames: ["intake", "state"],
    registers,
  });
  const age = new Gauge({
    name: "eventplane_intake_oldest_seconds",
    help: "How long the oldest row of an intake has waited.",
    labelNames: ["intake"],
    registers,
  });
  return {
    intakeDrained: ({ intake, result }) => drained.inc({ intake: label(intake), result: label(result) }),
    intakeStanding: ({ intake, waiting, oldestSeconds, refused }) => {
      rows.set({ intake: label(intake), state: "waiting" }, waiting);
      rows.set({ intake: label(intake), state: "refused" }, refused);
      age.set({ intake: label(intake) }, oldestSeconds);
    },
  };
}
