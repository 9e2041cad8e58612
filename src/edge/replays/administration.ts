/** Replays as intents in the platform's log, and what became of them. Who may ask is decided before. */
import { type CausedBy, EventFactory, type Resource } from "../../event/index.js";
import { EventplaneError, type JsonObject, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import {
  type ReplayProgress,
  type ReplaySpec,
  type ReplayWanted,
  replayAggregate,
  replaySpecOf,
  replayStart,
} from "../../replay/index.js";
import { platformApp } from "../platform/definitions.js";
import { refusalError } from "../publish/refusal-errors.js";
import type { EdgeParts } from "../routes/context.js";

/** What may be asked of a replay that there is. */
export type ReplayChange = "pause" | "resume" | "cancel";

const wantedOf: Readonly<Record<ReplayChange, ReplayWanted>> = {
  pause: "paused",
  resume: "running",
  cancel: "cancelled",
};
const ended: readonly string[] = ["completed", "cancelled", "failed"];
/** Of one tenant at once; a few more where several edges make them at the same moment. */
const openMax = 16;
const listMax = 100;

/**
 * Makes one.
 *
 * @returns its id
 * @throws EventplaneError `replays_open` when the tenant has too many that have not ended
 */
export async function createReplay(parts: EdgeParts, spec: ReplaySpec, stamp: CausedBy): Promise<string> {
  const latest = await latestReplays(parts, spec.tenantId);
  const open = latest.filter((resource) => !ended.includes(stateOf(resource)));
  if (open.length >= openMax) {
    const message = `This tenant has ${open.length} replays that have not ended. Wait for one, or cancel it.`;
    throw new EventplaneError("replays_open", message, { details: { open: open.length, max: openMax } });
  }
  const id = parts.ids.uuid7();
  await publish(
    parts,
    { type: `${replayAggregate}.create`, id, aggregateId: id, spec: { ...spec } as unknown as JsonObject },
    stamp,
  );
  return id;
}

/**
 * Pauses, resumes or cancels one.
 *
 * @throws EventplaneError `not_found`, `replay_ended`
 */
export async function changeReplay(
  parts: EdgeParts,
  { tenantId, id, change }: { readonly tenantId: TenantId; readonly id: string; readonly change: ReplayChange },
  stamp: CausedBy,
): Promise<void> {
  const resource = await replayResource(parts, tenantId, id);
  const state = stateOf(resource);
  if (ended.includes(state)) {
    throw new EventplaneError("replay_ended", `Replay ${id} has ended: it is ${state}. Make another one.`, {
      details: { replay: id, state },
    });
  }
  const { generation } = resource;
  const wanted = { type: `${replayAggregate}.${change}`, aggregateId: id, spec: { wanted: wantedOf[change] } };
  await publish(parts, { ...wanted, expectedGeneration: generation }, stamp);
}

/** One of a tenant, as people see it. @throws EventplaneError `not_found` */
export async function showReplay(parts: EdgeParts, tenantId: TenantId, id: string): Promise<JsonObject> {
  const resource = await replayResource(parts, tenantId, id);
  const progress = await parts.replays.progress(tenantId, [id]);
  return replayJson(resource, progress.get(id));
}

/** Those of a tenant, the newest first; at most 100. */
export async function listReplays(parts: EdgeParts, tenantId: TenantId): Promise<readonly JsonObject[]> {
  const resources = await latestReplays(parts, tenantId);
  const progress = await parts.replays.progress(
    tenantId,
    resources.map(({ aggregateId }) => aggregateId),
  );
  return resources.map((resource) => replayJson(resource, progress.get(resource.aggregateId)));
}

async function latestReplays(parts: EdgeParts, tenantId: TenantId): Promise<readonly Resource[]> {
  const ids = parts.platform.state.replaysOf(tenantId).slice(0, listMax);
  return Promise.all(ids.map((id) => replayResource(parts, tenantId, id)));
}

interface Wanted {
  readonly type: string;
  readonly aggregateId: string;
  readonly spec: JsonObject;
  readonly id?: string;
  readonly expectedGeneration?: number;
}

async function publish(parts: EdgeParts, wanted: Wanted, stamp: CausedBy): Promise<void> {
  const factory = new EventFactory({ app: platformApp, ids: parts.ids });
  const item = factory.intent(
    { ...wanted, tenantId: PLATFORM_TENANT_ID, specText: JSON.stringify(wanted.spec) },
    stamp,
  );
  const outcome = await parts.log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
  await parts.platform.catchUp(outcome.result === "refused" ? 0 : outcome.receipts[0]?.position);
  if (outcome.result === "refused") throw refusalError(outcome);
}

async function replayResource(parts: EdgeParts, tenantId: TenantId, id: string): Promise<Resource> {
  const resource = await parts.loader.load(PLATFORM_TENANT_ID, { aggregateType: replayAggregate, aggregateId: id });
  if (resource?.spec.tenantId === tenantId) return resource;
  throw new EventplaneError("not_found", "This tenant has no replay with this id.");
}

function replayJson(resource: Resource, progress: ReplayProgress | undefined): JsonObject {
  const { tenantId: _tenantId, ...wanted } = replaySpecOf(resource);
  const failed = resource.conditions.find(({ type }) => type === "Rejected");
  const { position, events, results, firstFailure } = progress ?? replayStart(wanted);
  return {
    id: resource.aggregateId,
    tenantId: replaySpecOf(resource).tenantId,
    ...(wanted as unknown as JsonObject),
    state: stateOf(resource),
    progress: { position, events, results: { ...results }, firstFailure },
    reason: failed?.message ?? null,
    createdAt: resource.createdAt,
    updatedAt: resource.updatedAt,
  };
}

/** `pending` until the first turn says otherwise. */
function stateOf(resource: Resource): string {
  if (resource.settled === "rejected") return "failed";
  const { state } = statusOf(resource);
  return typeof state === "string" ? state : "pending";
}

function statusOf({ status }: Resource): JsonObject {
  const { replayer } = status;
  return typeof replayer === "object" && replayer !== null && !Array.isArray(replayer) ? (replayer as JsonObject) : {}; // the others are excluded
}
