/** Events as lines, and the filters that choose them. */
import { type Command, Option } from "commander";
import type { Event } from "../event/index.js";
import { safe, type Terminal } from "./terminal.js";

/** Which events; the names are those of the API. */
export interface EventFilterFlags {
  readonly kind?: "intent" | "fact" | "internal";
  readonly type?: string;
  readonly aggregateType?: string;
  readonly aggregateId?: string;
  readonly correlationId?: string;
}

/** Adds the filters of reads and subscriptions. */
export function withEventFilters(command: Command): Command {
  return command
    .addOption(new Option("--kind <kind>", "only this kind").choices(["intent", "fact", "internal"]))
    .option("--type <type>", "only this exact type")
    .option("--aggregate-type <type>", "only resources of this type")
    .option("--aggregate-id <id>", "only this resource")
    .option("--correlation-id <uuid>", "only this trace");
}

/** `   12  2026-01-31T09:30:00.000000Z  fact      organization.ready  organization/0190…` */
export function eventLineOf(event: Event, terminal: Terminal): string {
  const { position, recordedAt, kind, type, aggregateType, aggregateId } = event;
  return `${String(position).padStart(6)}  ${terminal.dim(safe(recordedAt))}  ${safe(kind).padEnd(8)}  ${safe(type).padEnd(34)}  ${safe(`${aggregateType}/${aggregateId}`)}`;
}
