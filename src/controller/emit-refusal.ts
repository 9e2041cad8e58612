/** What another resource answers to an intent that a controller emits. */
import type { AppendItem, Resource } from "../event/index.js";
import { EventplaneError } from "../kernel/index.js";
import type { AppendOutcome } from "../store/index.js";
import type { WorkClaim } from "../work/index.js";
import { isOwn } from "./own-rows.js";

/**
 * Passes when it was the stream itself that has moved: it is decided on again. Otherwise the controller's wish cannot be
 * had as things are: its attempt has failed, and another may find it otherwise.
 *
 * @throws EventplaneError `emit_refused`
 */
export function assertOwnRefusal(
  { code, index, current }: Extract<AppendOutcome, { result: "refused" }>,
  {
    claim,
    resource,
    items,
  }: {
    readonly claim: Pick<WorkClaim, "component">;
    readonly resource: Resource;
    readonly items: readonly AppendItem[];
  },
): void {
  const item = items[index];
  if (item === undefined || isOwn(item, resource)) return;
  const { type, aggregateType, aggregateId } = item.event;
  const message =
    `Controller ${claim.component} emits ${type} to ${aggregateType}/${aggregateId}, which is ` +
    `${current.lifecycle === "none" ? "not there" : current.lifecycle}: ${code}. Look it up before, and emit what its state allows.`;
  throw new EventplaneError("emit_refused", message, {
    details: { controller: claim.component, type, aggregateType, aggregateId, reason: code },
  });
}
