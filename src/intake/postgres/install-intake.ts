/** Runs the SQL of an intake's table as the owner of the application's database. */
import { runAsOwner } from "../../store/postgres/index.js";
import { type InstallIntakeOptions, intakeSql } from "./install-sql.js";

/**
 * Makes the table, or brings it up to this package, in one transaction.
 *
 * @throws EventplaneError `config_invalid` for a name that is none; `database_unreachable` and those of the database
 */
export async function installIntake(ownerUrl: string, options: InstallIntakeOptions = {}): Promise<void> {
  await runAsOwner(ownerUrl, intakeSql(options));
}
