export { defineIntake, type Intake, type IntakeConfig } from "./define-intake.js";
export { IntakeDrainer, type IntakeDrainerParts } from "./drainer.js";
export { type EnqueuedIntent, enqueueIntent, type IntakeClient, type IntakeQuery } from "./enqueue-intent.js";
export type {
  IntakeMark,
  IntakeOutcome,
  IntakeRow,
  IntakeStanding,
  IntakeTable,
  RefusedFilter,
  RefusedRow,
} from "./port.js";
