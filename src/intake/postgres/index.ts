export { installIntake } from "./install-intake.js";
export { type InstallIntakeOptions, intakeSql } from "./install-sql.js";
export { type IntakeListenerOptions, listenToIntake } from "./intake-listener.js";
export { type PostgresIntakeOptions, PostgresIntakeTable } from "./postgres-intake-table.js";
