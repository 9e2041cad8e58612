/** Work on intakes that is not draining: their tables, and what was refused in them. The driver is loaded when asked for. */
import type { IntakeStanding, IntakeTable } from "../intake/index.js";
import type { InstallIntakeOptions } from "../intake/postgres/index.js";
import { EventplaneError } from "../kernel/errors.js";
import { loadConfiguredApp } from "./app-file.js";
import type { Config } from "./config.js";

/** Whom and what an intake's table is for. */
export type IntakeInstallation = InstallIntakeOptions;

/** How one intake stands. */
export interface IntakeStatus extends IntakeStanding {
  readonly intake: string;
}

/** The SQL of an intake's table. @throws EventplaneError `config_invalid` for a name that is none */
export async function intakeSqlOf(installation: IntakeInstallation): Promise<string> {
  const { intakeSql } = await import("../intake/postgres/index.js");
  return intakeSql(installation);
}

/**
 * Makes the table in the database of the setting `intake.owner-url`.
 *
 * @throws EventplaneError `config_invalid` without it, and for a name that is none; those of the database
 */
export async function installIntakeOf(config: Config, installation: IntakeInstallation): Promise<void> {
  const url = config.text("intake.owner-url");
  if (url === undefined) {
    const message =
      "There is no database to install in: set EVENTPLANE_INTAKE__OWNER_URL_FILE, or print the SQL with --dry-run.";
    throw new EventplaneError("config_invalid", message);
  }
  const { installIntake } = await import("../intake/postgres/index.js");
  await installIntake(url, installation);
}

/**
 * The tables of the application's intakes, or of the one that is named. Whoever opens them closes them.
 *
 * @throws EventplaneError `not_found` for a name that the application does not have; `config_invalid` for one whose database
 * is not given, and those of the application's file
 */
export async function openIntakeTables(config: Config, name?: string): Promise<ReadonlyMap<string, IntakeTable>> {
  const { intakes = new Map() } = await loadConfiguredApp(config);
  if (name !== undefined && !intakes.has(name)) {
    const known = [...intakes.keys()].join(", ") || "none";
    throw new EventplaneError("not_found", `The application has no intake of this name. It has: ${known}.`);
  }
  const [{ PostgresIntakeTable }, { intakeUrl }] = await Promise.all([
    import("../intake/postgres/index.js"),
    import("./intake-url.js"),
  ]);
  const wanted = [...intakes.values()].filter((each) => name === undefined || each.name === name);
  return new Map(
    wanted.map((each) => [each.name, new PostgresIntakeTable({ url: intakeUrl(each), schema: each.schema })]),
  );
}
