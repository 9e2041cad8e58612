/**
 * One open subscription: catches up from the store, joins the tenant's feed, and never holds more than a bounded rest.
 *
 * A client that does not keep up leaves the feed and catches up again at its own pace, from the store. It is cut when it
 * takes nothing while more than 1 MiB waits for it, when its rest does not move for 30 s, or when it has been behind for
 * a minute. The cut names its reason; the client resumes with Last-Event-ID, without a gap, because a position counts as
 * delivered only in order.
 */
import type { Socket } from "node:net";
import type { Clock, TenantId } from "../../kernel/index.js";
import { EventplaneError, isEventplaneError, limits } from "../../kernel/index.js";
import type { LogReader } from "../../store/index.js";
import { visibleRows } from "../scope.js";
import {
  bookmarkFrame,
  endFrame,
  eventFrame,
  type FrameBatch,
  filterKey,
  heartbeatFrame,
  isUnfiltered,
  type OpenRows,
  type SubscribeFilter,
} from "./frame.js";
import type { TenantFeed } from "./tenant-feed.js";

/** What a subscriber may have unsent before it is cut, bytes. */
export const unsentBytesMax = 1_048_576;

const liveBytesMax = 262_144;
const catchUpBytes = 65_536;
const pageEvents = 128;
const stalledMs = 1_000;
const stalledLongMs = 30_000;
const behindMsMax = 60_000;
const heartbeatMs = 15_000;
const closeGraceMs = 10_000;
const drainPollMs = 1_000;
const retryReadMs = 250;

/** What a connection works with. */
export interface ConnectionDependencies {
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly feed: TenantFeed;
  /** Catch-up reads are held back while this is false. */
  readonly mayDeliver: () => boolean;
  /** Opens the personal data of rows. */
  readonly open: OpenRows;
}

/** Why a connection ended, as the client reads it. */
export interface ConnectionEnd {
  readonly code: string;
  readonly detail: string;
}

/** One subscriber's socket. */
export class SseConnection {
  readonly tenantId: TenantId;
  readonly #socket: Socket;
  readonly #dependencies: ConnectionDependencies;
  readonly #filter: SubscribeFilter;
  readonly #filterKey: string;
  readonly #unfiltered: boolean;
  readonly #ended = new AbortController();
  #position: number;
  #toldPosition: number;
  #toldAtMs: number;
  #wroteAtMs: number;
  #movedAtMs: number;
  #takenBytes = 0;
  #passedBytes = 0;
  #behindSinceMs: number | undefined;
  #end: ConnectionEnd | undefined;

  constructor(
    target: {
      readonly socket: Socket;
      readonly tenantId: TenantId;
      readonly after: number;
      readonly filter: SubscribeFilter;
    },
    dependencies: ConnectionDependencies,
  ) {
    this.#socket = target.socket;
    this.tenantId = target.tenantId;
    this.#filter = target.filter;
    this.#filterKey = filterKey(target.filter);
    this.#unfiltered = isUnfiltered(target.filter);
    this.#dependencies = dependencies;
    this.#position = target.after;
    this.#toldPosition = target.after;
    const now = dependencies.clock.monotonicMs();
    this.#toldAtMs = now;
    this.#wroteAtMs = now;
    this.#movedAtMs = now;
    this.#ended.signal.addEventListener("abort", () => this.#leaveLive(), { once: true });
    this.#socket.once("close", () => this.#ended.abort());
    this.#socket.on("error", () => this.#ended.abort());
    if (this.#socket.destroyed) this.#ended.abort();
  }

  /** Why we ended it; undefined while it is open and when the client left. */
  get end(): ConnectionEnd | undefined {
    return this.#end;
  }

  /** Bytes that wait in this process for the client to take them. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Serves the client until it leaves or is cut. Never throws. */
  async run(): Promise<void> {
    this.#write(bookmarkFrame(this.#position));
    let letGo: (() => void) | undefined;
    while (!this.#ended.signal.aborted) {
      const joined = this.#dependencies.feed.join(this.#position, this.#onBatch);
      if (joined === undefined) {
        letGo ??= this.#dependencies.feed.hold();
        await this.#catchUpPage();
        continue;
      }
      letGo?.();
      letGo = undefined;
      await this.#live(joined);
    }
    letGo?.();
    this.#dependencies.feed.leave(this.#onBatch);
  }

  /** Ends the connection with a reason that the client can read if it still takes what waits for it. */
  cut(end: ConnectionEnd): void {
    if (this.#ended.signal.aborted) return;
    this.#end = end;
    this.#socket.end(endFrame(end.code, end.detail));
    this.#ended.abort();
    const closed = new AbortController();
    this.#socket.once("close", () => closed.abort());
    this.#dependencies.clock.sleep(closeGraceMs, closed.signal).then(
      () => this.#socket.destroy(),
      () => undefined,
    );
  }

  /** Looks after the connection, about once a second: heartbeat, bookmark, and whether the client still takes anything. */
  tend(): void {
    if (this.#ended.signal.aborted) return;
    const now = this.#dependencies.clock.monotonicMs();
    this.#noteTaken(now);
    const unsent = this.#socket.writableLength + this.#passedBytes;
    const stillMs = now - this.#movedAtMs;
    const stuck =
      (unsent > unsentBytesMax && stillMs > stalledMs) || (this.#socket.writableLength > 0 && stillMs > stalledLongMs);
    const tooLate = this.#behindSinceMs !== undefined && now - this.#behindSinceMs > behindMsMax;
    if (stuck || tooLate) {
      this.cut({
        code: "subscriber_too_slow",
        detail: `The subscriber did not keep up at position ${this.#position}. Connect again with Last-Event-ID.`,
      });
      return;
    }
    if (!this.#unfiltered && this.#behindSinceMs === undefined) this.#bookmarkIfDue(now);
    if (now - this.#wroteAtMs >= heartbeatMs && this.#socket.writableLength === 0) this.#write(heartbeatFrame);
  }

  /** Follows the feed until the client falls behind or leaves. */
  async #live(missed: FrameBatch): Promise<void> {
    const { signal } = this.#ended;
    this.#behindSinceMs = undefined;
    this.#deliver(missed);
    await new Promise<void>((resolve) => {
      this.#leaveLive = resolve;
      if (this.#behindSinceMs !== undefined || signal.aborted) resolve();
    });
    await this.#drained();
    this.#dependencies.feed.leave(this.#onBatch);
    this.#passedBytes = 0;
  }

  #leaveLive: () => void = () => undefined;

  /** While the client is behind, batches are only counted: they will be read from the store. */
  #onBatch = (batch: FrameBatch): void => {
    if (this.#behindSinceMs === undefined) this.#deliver(batch);
    else this.#passedBytes += batch.bytesFor(this.#filter, this.#filterKey).byteLength;
  };

  #deliver(given: FrameBatch): void {
    if (given.position <= this.#position) return;
    const batch = given.from(this.#position + 1);
    if (this.#socket.writableLength > liveBytesMax) {
      this.#behindSinceMs = this.#dependencies.clock.monotonicMs();
      this.#passedBytes += batch.bytesFor(this.#filter, this.#filterKey).byteLength;
      this.#leaveLive();
      return;
    }
    const bytes = batch.bytesFor(this.#filter, this.#filterKey);
    this.#position = batch.position;
    if (bytes.byteLength > 0) {
      this.#write(bytes);
      this.#told();
    } else if (this.#position - this.#toldPosition >= limits.bookmarkPositions) {
      this.#writeBookmark();
    }
  }

  /** One page from the store, with back-pressure; moves the position also past events that the filter leaves out. */
  async #catchUpPage(): Promise<void> {
    const { reader, feed, clock, mayDeliver, open } = this.#dependencies;
    await this.#drained();
    const known = feed.position;
    try {
      if (!mayDeliver()) throw new EventplaneError("platform_stale", "Held back.");
      const { scope, ...asked } = this.#filter;
      const filter = scope?.narrow(asked) ?? asked;
      const rows = await reader.read(this.tenantId, { after: this.#position, limit: pageEvents, filter });
      const visible = await open(this.tenantId, visibleRows(rows, scope));
      for (const row of visible) await this.#writeCaughtUp(eventFrame(row).bytes, row.position);
      const looked = rows.length < pageEvents ? known : (rows.at(-1)?.position ?? 0);
      if (!this.#ended.signal.aborted) this.#position = Math.max(this.#position, looked);
      if (this.#position - this.#toldPosition >= limits.bookmarkPositions) this.#writeBookmark();
    } catch (error) {
      if (!isEventplaneError(error) || !error.retryable) {
        this.cut({ code: "internal", detail: "The log could not be read. Connect again with Last-Event-ID." });
      } else {
        await clock.sleep(retryReadMs, this.#ended.signal).catch(() => undefined);
      }
    }
  }

  async #writeCaughtUp(bytes: Buffer, position: number): Promise<void> {
    if (this.#socket.writableLength > catchUpBytes) await this.#drained();
    if (this.#ended.signal.aborted) return;
    this.#write(bytes);
    this.#position = position;
    this.#told();
  }

  /** Resolves when the client has taken what waited, or is gone. */
  async #drained(): Promise<void> {
    const { signal } = this.#ended;
    while (this.#socket.writableLength > 0 && !signal.aborted) {
      const drained = new AbortController();
      const wake = (): void => drained.abort();
      this.#socket.once("drain", wake);
      signal.addEventListener("abort", wake, { once: true });
      await this.#dependencies.clock.sleep(drainPollMs, drained.signal).catch(() => undefined);
      signal.removeEventListener("abort", wake);
      this.#socket.off("drain", wake);
    }
  }

  #bookmarkIfDue(now: number): void {
    if (this.#position > this.#toldPosition && now - this.#toldAtMs >= limits.bookmarkIntervalMs) this.#writeBookmark();
  }

  #writeBookmark(): void {
    this.#write(bookmarkFrame(this.#position));
    this.#told();
  }

  #told(): void {
    this.#toldPosition = this.#position;
    this.#toldAtMs = this.#wroteAtMs;
  }

  #write(bytes: Buffer): void {
    if (this.#ended.signal.aborted) return;
    const now = this.#dependencies.clock.monotonicMs();
    if (this.#socket.writableLength === 0) this.#movedAtMs = now;
    this.#wroteAtMs = now;
    this.#socket.write(bytes);
  }

  #noteTaken(now: number): void {
    const taken = this.#socket.bytesWritten - this.#socket.writableLength;
    if (taken > this.#takenBytes || this.#socket.writableLength === 0) this.#movedAtMs = now;
    this.#takenBytes = taken;
  }
}
