/** One claimed delivery from its event to what is written of it. */
import { type EventRow } from "../event/index.js";
import { type Clock, parseUs, type Random } from "../kernel/index.js";
import type { OutboundHttp, OutboundOutcome } from "../outbound/index.js";
import type { LogReader } from "../store/index.js";
import { signingSecrets, type WebhookDirectory, type WebhookEntry } from "./directory.js";
import { isMeant } from "./filter.js";
import type { Lane } from "./lane.js";
import { eventMessage } from "./message.js";
import type { DeliveryClaim, DeliveryEnd, DeliveryResult, DeliveryStore } from "./port.js";
import type { WebhookSecrets } from "./secrets.js";
import { asksToWait, attemptsMax, isAble, judge, type Verdict } from "./verdict.js";

/** What deliveries need. */
export interface DeliveryParts {
  readonly directory: WebhookDirectory;
  readonly store: DeliveryStore;
  readonly reader: LogReader;
  readonly outbound: Pick<OutboundHttp, "post">;
  readonly secrets: WebhookSecrets;
  readonly clock: Clock;
  readonly random: Random;
}

/** How it ended, for metrics: what is written, or that nothing was done. */
export type DeliveryOutcome = DeliveryResult | "gone" | "deferred" | "lost";

/** What became of it, and since how long nothing has succeeded. */
export interface Delivered {
  readonly outcome: DeliveryOutcome;
  readonly failingSeconds: number;
  /** When the row is due again, if this process knows. */
  readonly dueAfterMs?: number;
}

/** Handed back by who may not send now, it is looked at again after this. */
const deferMs = 5_000;

/** What cannot be told to anybody, because the log does not hold together there, is a dead letter: others go on. */
export async function giveUp(parts: DeliveryParts, claim: DeliveryClaim, reason: string): Promise<Delivered> {
  const told = { status: null, reason: "event_untold", tookMs: 0 } as const;
  return end(parts, claim, { ...told, result: "dead", message: `The event could not be told: ${reason}` });
}

/** Sends one. @throws EventplaneError of a store that could not take the end; the lease runs out then, and it is sent again */
export async function deliver(
  parts: DeliveryParts,
  lane: Lane,
  claim: DeliveryClaim,
  signal: AbortSignal,
): Promise<Delivered> {
  const { directory, reader } = parts;
  const [row] = await reader.readByIds(claim.webhook.tenantId, [claim.eventId]);
  // As late as can be: what was allowed when the row was made may be forbidden by now.
  const webhook = directory.get(claim.webhook.id);
  const sight = directory.isFresh && webhook?.state === "active" ? directory.sightOf(webhook) : undefined;
  if (webhook === undefined || sight === undefined) return defer(parts, claim, deferMs);
  if (row === undefined || !isMeant(webhook.filter, row) || !sight(row))
    return end(parts, claim, { result: "withheld", status: null, reason: "not_allowed", tookMs: 0 });
  return send(parts, { lane, claim, webhook, row, signal });
}

interface Sending {
  readonly lane: Lane;
  readonly claim: DeliveryClaim;
  readonly webhook: WebhookEntry;
  readonly row: EventRow;
  readonly signal: AbortSignal;
}

async function send(parts: DeliveryParts, { lane, claim, webhook, row, signal }: Sending): Promise<Delivered> {
  const { clock, secrets, outbound, random } = parts;
  const nowUs = clock.nowUs();
  const secretVersions = signingSecrets(webhook, (time) => (parseUs(time) ?? 0) <= nowUs).map(({ version }) => version);
  const { id, tenantId } = webhook;
  const startMs = clock.monotonicMs();
  const message = eventMessage({ id, tenantId, secretVersions }, row, { secrets, nowUs });
  const outcome = await outbound.post({ url: webhook.url, ...message, signal });
  const tookMs = clock.monotonicMs() - startMs;
  const verdict = judge(outcome, claim.attempt, random);
  await learn(parts, lane, outcome, verdict);
  if (verdict.verdict === "aborted") return defer(parts, claim, 0);
  if (verdict.verdict === "gone") {
    await parts.directory.disable(webhook, "gone");
    return { ...(await defer(parts, claim, deferMs)), outcome: "gone" };
  }
  return end(parts, claim, endOf(outcome, verdict, tookMs));
}

/** What the receiver's answer says of the receiver. Able again, it is sent at once all that it was not able to take. */
async function learn(
  { store, clock }: DeliveryParts,
  lane: Lane,
  outcome: OutboundOutcome,
  { verdict }: Verdict,
): Promise<void> {
  const waitMs = asksToWait(outcome);
  if (waitMs !== undefined) lane.quietUntilMs = Math.max(lane.quietUntilMs, clock.monotonicMs() + waitMs);
  if (verdict === "aborted") return;
  const wasOpen = lane.breaker.isOpen;
  if (!isAble(outcome)) {
    lane.breaker.fail();
    return;
  }
  lane.breaker.succeed();
  if (!wasOpen) return;
  await store.hurry(lane.webhook);
  lane.dueAtMs = 0;
}

function endOf(outcome: OutboundOutcome, verdict: Verdict, tookMs: number): DeliveryEnd {
  const told = {
    status: outcome.result === "answered" ? outcome.status : null,
    reason: outcome.result === "answered" ? null : outcome.reason,
    tookMs,
  };
  if (verdict.verdict !== "failed") return { ...told, result: "delivered" };
  const { retryAfterMs, message } = verdict;
  if (retryAfterMs !== null) return { ...told, result: "retried", retryAfterMs, message };
  return { ...told, result: "dead", message: `${message} It was tried ${attemptsMax} times.` };
}

async function end({ store }: DeliveryParts, claim: DeliveryClaim, told: DeliveryEnd): Promise<Delivered> {
  const failingSeconds = await store.end(claim, told);
  if (failingSeconds === undefined) return { outcome: "lost", failingSeconds: 0 };
  const { result: outcome, retryAfterMs } = told;
  return { outcome, failingSeconds, ...(retryAfterMs === undefined ? {} : { dueAfterMs: retryAfterMs }) };
}

async function defer({ store }: DeliveryParts, claim: DeliveryClaim, dueAfterMs: number): Promise<Delivered> {
  await store.release(claim, dueAfterMs);
  return { outcome: "deferred", failingSeconds: 0, dueAfterMs };
}
