/** Where an intake's table is. */
import type { IntakeDefinition } from "../event/index.js";
import { EventplaneError } from "../kernel/errors.js";

/** The URL of an intake's database. @throws EventplaneError `config_invalid` when it is not given, or is no URL */
export function intakeUrl({ name, databaseUrl }: IntakeDefinition): string {
  const url = databaseUrl();
  if (url !== undefined && URL.canParse(url)) return url;
  const what = url === undefined ? "has no databaseUrl" : "has a databaseUrl that is no URL";
  throw new EventplaneError(
    "config_invalid",
    `Intake ${name} ${what}: give it postgresql://…, from the environment of this process.`,
    { details: { intake: name } },
  );
}
