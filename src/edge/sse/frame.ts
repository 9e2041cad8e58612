/**
 * Events as frames of a text/event-stream (WHATWG HTML §9.2): id = position, event = kind, data = the event's JSON.
 *
 * A frame is made once per event and process; filters look at its envelope and never parse the payload again.
 */
import type { EventKind, EventRow } from "../../event/index.js";
import { eventLine } from "../../event/index.js";
import { type SseFrame, sseFrame, sseHeartbeat, type TenantId } from "../../kernel/index.js";
import type { ReadFilter } from "../../store/index.js";
import type { Scope } from "../scope.js";

/** One event, ready to be sent. */
export interface Frame {
  readonly position: number;
  readonly kind: EventKind;
  readonly type: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly correlationId: string;
  readonly bytes: Buffer;
}

/** Rows of one tenant as a subscriber may read them, in their order. */
export type OpenRows = (
  tenantId: TenantId,
  rows: readonly EventRow[],
) => Promise<readonly EventRow[]> | readonly EventRow[];

/** What a subscriber may ask for; all given parts must match. */
export interface SubscribeFilter
  extends Pick<ReadFilter, "kind" | "type" | "aggregateType" | "aggregateId" | "correlationId"> {
  /** What the key may see at all. */
  readonly scope?: Scope | undefined;
}

const filterMembers = ["kind", "type", "aggregateType", "aggregateId", "correlationId"] as const;

/** The frame of an event. One data line holds its JSON. */
export function eventFrame(row: EventRow): Frame {
  const { position, kind, type, aggregateType, aggregateId, correlationId } = row;
  const bytes = frameBytes({ id: String(position), event: kind, data: eventLine(row) });
  return { position, kind, type, aggregateType, aggregateId, correlationId, bytes };
}

/** Says that everything up to `position` was looked at. */
export function bookmarkFrame(position: number): Buffer {
  return frameBytes({ id: String(position), event: "bookmark", data: JSON.stringify({ position }) });
}

/** The last frame of a connection that we end, with the reason. */
export function endFrame(code: string, detail: string): Buffer {
  return frameBytes({ event: "end", data: JSON.stringify({ code, detail }) });
}

/** A comment that keeps intermediaries from closing an idle connection. */
export const heartbeatFrame: Buffer = Buffer.from(sseHeartbeat, "utf8");

/** True when the filter asks for nothing in particular. */
export function isUnfiltered(filter: SubscribeFilter): boolean {
  return filter.scope === undefined && filterMembers.every((member) => filter[member] === undefined);
}

/** Equal filters have equal keys. */
export function filterKey(filter: SubscribeFilter): string {
  return JSON.stringify([...filterMembers.map((member) => filter[member] ?? null), filter.scope?.key ?? null]);
}

function frameBytes(frame: SseFrame): Buffer {
  return Buffer.from(sseFrame(frame), "utf8");
}

/** Whether the frame is what the filter asks for. */
function matches(filter: SubscribeFilter, frame: Frame): boolean {
  if (filter.scope?.allows(frame) === false) return false;
  return filterMembers.every((member) => filter[member] === undefined || filter[member] === frame[member]);
}

/** Consecutive frames, cut down to each filter and joined once for all subscribers that share it. */
export class FrameBatch {
  readonly frames: readonly Frame[];
  readonly #joined = new Map<string, Buffer>();

  constructor(frames: readonly Frame[]) {
    this.frames = frames;
  }

  /** Position of the last frame; 0 of an empty batch. */
  get position(): number {
    return this.frames.at(-1)?.position ?? 0;
  }

  /** The frames at and after `position`: this very batch unless it begins before. */
  from(position: number): FrameBatch {
    const first = this.frames[0]?.position ?? position;
    return first >= position ? this : new FrameBatch(this.frames.filter((frame) => frame.position >= position));
  }

  /** The bytes of the frames that match; empty when none does. `key` is {@link filterKey} of `filter`. */
  bytesFor(filter: SubscribeFilter, key: string): Buffer {
    let joined = this.#joined.get(key);
    if (joined === undefined) {
      const matching = this.frames.filter((frame) => matches(filter, frame));
      const [only] = matching;
      joined =
        only !== undefined && matching.length === 1 ? only.bytes : Buffer.concat(matching.map(({ bytes }) => bytes));
      this.#joined.set(key, joined);
    }
    return joined;
  }
}
