/** The options that say which dead letters are meant. */
import type { Command } from "commander";
import type { DeadLetterFilterInfo } from "../client/index.js";
import { parseResourceName } from "./resource-name.js";

/** As commander gives them. */
export interface DeadLetterFilterFlags {
  readonly component?: string;
  readonly code?: string;
  readonly codeVersion?: string;
  readonly resource?: string;
  readonly sinceFrom?: string;
  readonly sinceBefore?: string;
}

/** Adds the options to a command. */
export function addDeadLetterFilter(command: Command): Command {
  return command
    .option("--component <name>", "of this controller, of effect:WORKER or webhook:ID")
    .option("--code <code>", "with this error code")
    .option("--code-version <version>", "made by this version of the app's code")
    .option("--resource <type[/id]>", "of this resource, or of all of a type")
    .option("--since-from <time>", "dead since then or later, RFC 3339")
    .option("--since-before <time>", "dead since before then");
}

/** The filter that the options make. @throws EventplaneError `usage` */
export function deadLetterFilterIn(flags: DeadLetterFilterFlags): DeadLetterFilterInfo {
  const { component, code, codeVersion, resource, sinceFrom, sinceBefore } = flags;
  const { aggregateType, aggregateId } = resource === undefined ? {} : parseResourceName(resource);
  const members = { component, code, codeVersion, aggregateType, aggregateId, sinceFrom, sinceBefore };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
