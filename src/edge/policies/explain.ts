/**
 * A ruling of the past, made again from the log alone: its question from the event, its policies from the versions that were
 * in force, each found by the hash that the event holds. What cannot be made again says why.
 */
import type { CausedBy, EventRow } from "../../event/index.js";
import { EventplaneError, formatUs, type JsonObject, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import type { LogReader } from "../../store/index.js";
import type { Authorizer } from "../authz/authorizer.js";
import { layerOf, noLayer, type PolicyLayer, policyBaseType } from "../authz/policy-book.js";
import { basePolicySet, type PolicySet, policySetOf } from "../authz/policy-set.js";
import { recordedQuestion } from "../authz/recorded-ruling.js";
import type { Question, Ruling } from "../authz/ruling.js";
import { appliedRows } from "./administration.js";

/** Events that are looked through for a ruling's id, the latest. */
const searchedMax = 5_000;
const pageEvents = 100;
/** Origins of origins: an emitted intent is ruled on as the intent that it followed from. */
const originsMax = 32;
const basesMax = 100;

/** What a ruling is made again from: the logs, and what rules. */
export interface RulingSource {
  readonly reader: Pick<LogReader, "read" | "readByIds" | "readStream">;
  readonly authorizer: Pick<Authorizer, "ruleBy">;
}

interface FoundSet {
  readonly set: PolicySet;
  /** 0: none of its own. */
  readonly platformVersion: number;
  readonly tenantVersion: number;
}

/**
 * The explanation of the ruling that an event of the tenant's log holds.
 *
 * @param id of the event, or of the ruling, which is looked for in the latest 5,000 events
 * @throws EventplaneError `not_found`
 */
export async function explainRuling(parts: RulingSource, tenantId: TenantId, id: string): Promise<JsonObject> {
  const named = await eventWith(parts, tenantId, id);
  const row = await originOf(parts, tenantId, named);
  const causedBy = JSON.parse(row.causedByText) as CausedBy; // as the edge wrote it
  const { rulingId, policySetHash, policies, principal, via } = causedBy;
  const recorded = { rulingId, policySetHash, policies: [...policies], principal: { ...principal }, via };
  const about = { eventId: row.id, type: row.type, position: row.position, at: formatUs(row.recordedAtUs), recorded };
  if (via === "system")
    return { ...about, unexplained: "The plane did this itself; nobody asked, and nothing was ruled." };
  const question = recordedQuestion({ ...row, causedBy });
  if (question === undefined)
    return {
      ...about,
      unexplained: "No question that could have been asked has this ruling's id; another release may have made it.",
    };
  const found = await setWith(parts, question, { hash: policySetHash, atUs: row.recordedAtUs });
  if (found === undefined)
    return {
      ...about,
      ...questionJson(question),
      unexplained: "The policy set with this hash is not in the platform's log.",
    };
  const ruling = parts.authorizer.ruleBy(found.set, question);
  return { ...about, ...questionJson(question), ...rulingJson(found, ruling), note: noteOn(row, ruling) };
}

async function eventWith({ reader }: RulingSource, tenantId: TenantId, id: string): Promise<EventRow> {
  const [event] = await reader.readByIds(tenantId, [id]);
  if (event !== undefined) return event;
  let before: number | undefined;
  for (let read = 0; read < searchedMax; read += pageEvents) {
    const from = before === undefined ? {} : { before };
    const rows = await reader.read(tenantId, { direction: "backwards", limit: pageEvents, ...from });
    const holding = rows.find(({ causedByText }) => causedByText.includes(`"rulingId":"${id}"`));
    if (holding !== undefined) return holding;
    before = rows.at(-1)?.position;
    if (rows.length < pageEvents) break;
  }
  const message = `No event has this id, and none of the latest ${searchedMax} holds a ruling with it.`;
  throw new EventplaneError("not_found", message);
}

/** Derived events hold the stamp of the event that they followed from. */
async function originOf({ reader }: RulingSource, tenantId: TenantId, named: EventRow): Promise<EventRow> {
  let row = named;
  for (let step = 0; step < originsMax && row.decision !== null && row.causationId !== null; step++) {
    const [origin] = await reader.readByIds(tenantId, [row.causationId]);
    if (origin === undefined) return row;
    row = origin;
  }
  return row;
}

/** The set that was in force then, or just before or after: an edge may have been a moment behind. */
async function setWith(
  parts: RulingSource,
  { principal, tenantId }: Question,
  { hash, atUs }: { readonly hash: string; readonly atUs: number },
): Promise<FoundSet | undefined> {
  const isOwn = principal.tenantId === tenantId && tenantId !== PLATFORM_TENANT_ID;
  const shared = await layersAround(parts, PLATFORM_TENANT_ID, atUs);
  const own = isOwn ? await layersAround(parts, tenantId, atUs) : [noVersion];
  for (const base of await bases(parts))
    for (const platform of shared)
      for (const tenant of own) {
        const set = policySetOf({ ...base, ...platform.layer, ...tenant.layer });
        if (set.hash === hash) return { set, platformVersion: platform.version, tenantVersion: tenant.version };
      }
  return undefined;
}

interface VersionedLayer {
  readonly version: number;
  readonly layer: PolicyLayer;
}

const noVersion: VersionedLayer = { version: 0, layer: noLayer };

async function layersAround(parts: RulingSource, tenantId: TenantId, atUs: number): Promise<readonly VersionedLayer[]> {
  let before: readonly VersionedLayer[] = [noVersion];
  for await (const row of appliedRows(parts, tenantId)) {
    const { text } = JSON.parse(row.specText) as { readonly text: string }; // checked by the type's schema
    const applied = { version: row.generation, layer: layerOf(tenantId, text) };
    if (row.recordedAtUs > atUs) return [...before, applied];
    before = [...before, applied].slice(-2);
  }
  return before;
}

/** The base of this release, and of every release that ran on this log. */
async function bases({ reader }: RulingSource): Promise<readonly PolicyLayer[]> {
  const rows = await reader.read(PLATFORM_TENANT_ID, { filter: { type: policyBaseType }, limit: basesMax });
  const registered = rows.map(({ specText }) => (JSON.parse(specText) as { readonly policies: PolicyLayer }).policies); // as the plane wrote it
  return [basePolicySet.policies, ...registered];
}

function questionJson({ principal, action, tenantId, resource }: Question): JsonObject {
  const { type, id, tenantId: home, grants } = principal;
  return { question: { principal: { type, id, tenantId: home, grants: [...grants] }, action, tenantId, resource } };
}

function rulingJson({ set, platformVersion, tenantVersion }: FoundSet, ruling: Ruling): JsonObject {
  return {
    decision: ruling.allowed ? "allow" : "deny",
    decidedBy: ruling.policies.map((id) => ({ id, text: set.policies[id] ?? "" })),
    platformVersion,
    tenantVersion,
  };
}

/** What the ruling alone does not say of a refusal. */
function noteOn({ type, specText }: EventRow, { allowed, policies }: Ruling): string | null {
  if (type !== "refusal.recorded") return null;
  const { code } = JSON.parse(specText) as { readonly code: string }; // as refusals.ts writes it
  if (code !== "forbidden") return `The policies did not refuse this: it was refused as ${code}.`;
  if (allowed)
    return "The policies would allow this in the own tenant: another tenant was meant, or the key's scopes leave it out.";
  return policies.length === 0 ? "No policy permits this." : null;
}
