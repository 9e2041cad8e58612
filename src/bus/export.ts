/** What a context knows, as text for people and other programs. */
import { csvText } from "./csv.js";
import { eventEntry, timeText } from "./event-entry.js";
import { harmlessJson } from "./event-logger.js";
import type { HistoryFilter } from "./history.js";
import type { Observed } from "./observation.js";
import { performanceOf } from "./performance.js";

/** JSON (one array) or CSV (RFC 4180, safe for spreadsheets). */
export type ExportFormat = "json" | "csv";

const eventColumns = [
  "time",
  "context",
  "topic",
  "id",
  "schemaVersion",
  "priority",
  "correlationId",
  "causationId",
  "source",
  "metadata",
  "payload",
] as const;
const performanceColumns = [
  "subscription",
  "calls",
  "callsFailed",
  "timeouts",
  "failedShare",
  "failed",
  "dropped",
  "p50Ms",
  "p90Ms",
  "p99Ms",
] as const;

/** The history as the event log shows events, payloads included; the oldest first. Throws as `history`. */
export function historyText({ space, shared }: Observed, format: ExportFormat, filter: HistoryFilter): string {
  const rows = space.history.list(filter).map((event) => ({
    time: timeText(event.atMs),
    ...eventEntry(shared.redaction, event, { payload: true, stack: false }),
  }));
  return format === "csv" ? csvText(eventColumns, rows) : harmlessJson(rows);
}

/** How the subscriptions did, the slowest first. */
export function performanceText(observed: Observed, format: ExportFormat): string {
  const { subscriptions } = performanceOf(observed);
  return format === "csv"
    ? csvText(
        performanceColumns,
        subscriptions.map((row) => ({ ...row })),
      )
    : harmlessJson(subscriptions);
}
