/** Policies as intents in the platform's log: applied, listed, taken back. Who may ask is decided before. */
import { type CausedBy, EventFactory, type EventRow } from "../../event/index.js";
import {
  EventplaneError,
  formatUs,
  type JsonObject,
  PLATFORM_TENANT_ID,
  sha256,
  type TenantId,
  uuid8,
} from "../../kernel/index.js";
import { policyApplyType } from "../authz/policy-book.js";
import type { PolicyReport } from "../authz/policy-check.js";
import type { PolicyProblem } from "../authz/policy-text.js";
import { platformApp } from "../platform/definitions.js";
import type { Principal } from "../principal.js";
import { refusalError } from "../publish/refusal-errors.js";
import type { EdgeParts } from "../routes/context.js";

/** What is to be applied. */
export interface PolicyWish {
  readonly tenantId: TenantId;
  readonly text: string;
  /** The version that it follows; 0 when nobody ever applied any. */
  readonly follows: number;
  /** The version whose text it is, when an earlier one is brought back. */
  readonly restores?: number;
}

const listMax = 100;
const pageRows = 200;

/**
 * Applies the policies in the place of those of the version that they follow.
 *
 * @returns what is odd about them
 * @throws EventplaneError `policy_invalid` with every problem, `policy_locks_out`, `wrong_expected_generation`, `busy`
 */
export async function applyPolicies(
  parts: EdgeParts,
  wish: PolicyWish,
  by: { readonly principal: Principal; readonly stamp: CausedBy },
): Promise<PolicyReport> {
  const report = await checkPolicies(parts, wish.text);
  assertStaysIn(parts, wish, by.principal);
  const { tenantId, text, follows, restores } = wish;
  const spec = { text, ...(restores === undefined ? {} : { restores }) };
  const item = new EventFactory({ app: platformApp, ids: parts.ids }).intent(
    {
      tenantId: PLATFORM_TENANT_ID,
      type: policyApplyType,
      // The same wish again is the same event, so an answer that was lost costs nothing.
      id: uuid8(PLATFORM_TENANT_ID, policyApplyType, tenantId, String(follows), sha256(text).toString("hex")),
      idFromOutsideKey: true,
      aggregateId: tenantId,
      spec,
      specText: JSON.stringify(spec),
      expectedGeneration: follows,
    },
    by.stamp,
  );
  const outcome = await parts.log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
  await parts.platform.catchUp(outcome.result === "refused" ? 0 : outcome.receipts[0]?.position);
  if (outcome.result === "refused") throw refusalError(outcome);
  return report;
}

/** The policies of a tenant as they are. */
export function currentPolicies(
  { platform }: EdgeParts,
  tenantId: TenantId,
): JsonObject & { readonly version: number } {
  const { policies } = platform.state;
  const applied = policies.applied(tenantId);
  return {
    tenantId,
    version: applied?.version ?? 0,
    text: applied?.text ?? "",
    appliedAt: applied === undefined ? null : formatUs(applied.appliedAtUs),
    policySetHash: policies.policySet({ tenantId }, tenantId).hash,
  };
}

/** The versions of a tenant's policies without their texts, newest first; at most 100. */
export async function policyVersions(parts: EdgeParts, tenantId: TenantId): Promise<readonly JsonObject[]> {
  let versions: readonly JsonObject[] = [];
  for await (const row of appliedRows(parts, tenantId)) versions = [versionJson(row), ...versions].slice(0, listMax);
  return versions;
}

/** One version with its text. @throws EventplaneError `not_found` */
export async function policyVersion(
  parts: EdgeParts,
  tenantId: TenantId,
  version: number,
): Promise<JsonObject & { readonly text: string }> {
  for await (const row of appliedRows(parts, tenantId))
    if (row.generation === version) return { ...versionJson(row), text: specOf(row).text };
  throw new EventplaneError("not_found", `There is no version ${version} of these policies.`);
}

/** What is odd. @throws EventplaneError `policy_invalid` with everything that is wrong */
export async function checkPolicies(parts: EdgeParts, text: string): Promise<PolicyReport> {
  const report = await parts.policyCheck.check(text);
  const [first] = report.problems;
  if (first === undefined) return report;
  const more = report.problems.length > 1 ? ` ${report.problems.length - 1} more follow.` : "";
  throw new EventplaneError("policy_invalid", `Line ${problemText(first)}${more}`, {
    details: { problems: report.problems.map(problemText) },
  });
}

/** As compilers write it: `3:14 office-hours: …`. */
export function problemText({ line, column, policy, message }: PolicyProblem): string {
  return `${line}:${column}${policy === null ? "" : ` ${policy}`}: ${message}`;
}

/** Whoever applies policies must be able to apply the next ones, or only somebody else could help. */
function assertStaysIn(parts: EdgeParts, { tenantId, text }: PolicyWish, principal: Principal): void {
  if (principal.tenantId !== tenantId) return;
  const set = parts.platform.state.policies.with(tenantId, text).policySet(principal, tenantId);
  const question = { principal, action: "Administer", tenantId, resource: "area:policies" } as const;
  if (parts.authorizer.ruleBy(set, question).allowed) return;
  throw new EventplaneError(
    "policy_locks_out",
    "With these policies you could not change policies any more. Leave yourself Administer on the area policies.",
  );
}

/** The events that applied policies of a tenant, oldest first. */
export async function* appliedRows(
  parts: { readonly reader: Pick<EdgeParts["reader"], "readStream"> },
  tenantId: TenantId,
): AsyncGenerator<EventRow> {
  const stream = { aggregateType: "policy", aggregateId: tenantId };
  for (let afterVersion = 0; ; ) {
    const rows = await parts.reader.readStream(PLATFORM_TENANT_ID, stream, { afterVersion, limit: pageRows });
    for (const row of rows) if (row.type === policyApplyType) yield row;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageRows) return;
    afterVersion = last.version;
  }
}

function versionJson(row: EventRow): JsonObject {
  const { restores } = specOf(row);
  const { principal } = JSON.parse(row.causedByText) as CausedBy; // as the edge wrote it
  return {
    version: row.generation,
    eventId: row.id,
    appliedAt: formatUs(row.recordedAtUs),
    principal: { ...principal },
    ...(restores === undefined ? {} : { restores }),
  };
}

function specOf(row: EventRow): { readonly text: string; readonly restores?: number } {
  return JSON.parse(row.specText) as { readonly text: string; readonly restores?: number }; // checked by the type's schema
}
