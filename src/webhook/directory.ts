/** What the deliveries ask the edge, which alone knows who may see what. */
import type { EventRow } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import type { WebhookSpec, WebhookState } from "./definition.js";

/** A webhook as it is. */
export interface WebhookEntry extends WebhookSpec {
  readonly id: string;
  /** Of its resource: every intent on it opens one. */
  readonly generation: number;
  /** Microseconds since 1970. */
  readonly createdAtUs: number;
  /** When somebody last let it go on, microseconds since 1970; undefined: never. */
  readonly resumedAtUs?: number;
}

/** Whether an event may be shown to a webhook's owner now. */
export type Sight = (row: EventRow) => boolean;

/** Webhooks and what their owners may see. */
export interface WebhookDirectory {
  /** False while it cannot be proven that the latest keys and policies are known: then nothing is sent. */
  readonly isFresh: boolean;
  /** The position of the platform's log that is known: what is the same at the same position need not be asked again. */
  readonly position: number;
  /** Those that are sent to. */
  active(): readonly WebhookEntry[];
  get(id: string): WebhookEntry | undefined;
  /** Those that were deleted, ever. */
  deleted(): readonly { readonly id: string; readonly tenantId: TenantId }[];
  /** Undefined: its owner may subscribe to nothing of it, so it waits. */
  sightOf(webhook: WebhookEntry): Sight | undefined;
  /** Gives a receiver up, as an event of the platform. Again and again the same one. */
  disable(webhook: WebhookEntry, state: Extract<WebhookState, "gone" | "failing">): Promise<void>;
}

/** The versions of the secrets that sign at a time, the newest first. */
export function signingSecrets(
  { secret, previousSecret }: Pick<WebhookSpec, "secret" | "previousSecret">,
  isPast: (time: string) => boolean,
): readonly WebhookSpec["secret"][] {
  return previousSecret === undefined || isPast(previousSecret.endsAt) ? [secret] : [secret, previousSecret];
}
