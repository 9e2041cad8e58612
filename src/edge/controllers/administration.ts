/** Controllers over living resources: what there is, and what administrators ask of them. Who may ask is decided before. */
import { changeTypes } from "../../controller/index.js";
import { type CausedBy, EventFactory, type Resource, runtimeComponent } from "../../event/index.js";
import { EventplaneError, type JsonObject, limits, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import type { Receipt } from "../../store/index.js";
import { platformApp } from "../platform/definitions.js";
import { refusalError } from "../publish/refusal-errors.js";
import type { EdgeParts } from "../routes/context.js";

/** A change of a controller in one tenant. */
export interface ChangeWish {
  readonly change: keyof typeof changeTypes;
  readonly controller: string;
  readonly tenantId: TenantId;
  /** Of a retirement: a sentence for people. */
  readonly reason: string;
}

/** The controllers of the app and of the rows that there are, by name. */
export async function listControllers(parts: EdgeParts, tenantId: TenantId): Promise<readonly JsonObject[]> {
  const rows = new Map((await parts.work.controllerRows(tenantId)).map((row) => [row.component, row]));
  rows.delete(runtimeComponent);
  const names = [...new Set([...parts.app.controllers.keys(), ...rows.keys()])].sort();
  return names.map((name) => {
    const controller = parts.app.controllers.get(name);
    const { waiting = 0, deadLetters = 0, oldestSeconds = 0 } = rows.get(name) ?? {};
    const watches = controller?.watches ?? null;
    return { name, watches, inConfiguration: controller !== undefined, waiting, deadLetters, oldestSeconds };
  });
}

/**
 * How many resources a change would be about, as the projection of resources has them.
 *
 * @throws EventplaneError `not_found` for a backfill of a controller that the app does not have; `request_invalid` for the
 * retirement of one that it has
 */
export async function resourcesOf(parts: EdgeParts, wish: ChangeWish): Promise<number> {
  const watched = watchedBy(parts, wish);
  const isMeant = watched === undefined ? waitsFor(wish.controller) : isLiving;
  let count = 0;
  for (const aggregateType of watched === undefined ? parts.app.aggregates.keys() : [watched]) {
    for (let after: string | undefined; ; ) {
      const query = { aggregateType, limit: limits.readPageMax, ...(after === undefined ? {} : { after }) };
      const { resources, next } = await parts.resources.list(wish.tenantId, query);
      count += resources.filter(isMeant).length;
      if (next === null) break;
      after = next;
    }
  }
  return count;
}

/** Asks for a change: a fact in the platform's log, which the runtime acts on. @throws as {@link resourcesOf} */
export async function requestChange(parts: EdgeParts, wish: ChangeWish, stamp: CausedBy): Promise<Receipt | undefined> {
  const { change, controller, tenantId, reason } = wish;
  const aggregateType = watchedBy(parts, wish);
  const factory = new EventFactory({ app: platformApp, ids: parts.ids });
  const item = factory.systemFact(
    {
      tenantId: PLATFORM_TENANT_ID,
      type: changeTypes[change],
      aggregateId: controller,
      spec: { tenantId, ...(aggregateType === undefined ? { reason } : { aggregateType }) },
    },
    stamp,
  );
  const outcome = await parts.log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
  if (outcome.result === "refused") throw refusalError(outcome);
  return outcome.receipts[0];
}

/** The aggregate of a backfill; undefined for a retirement. */
function watchedBy({ app }: EdgeParts, { change, controller }: ChangeWish): string | undefined {
  const watches = app.controllers.get(controller)?.watches;
  if (change === "retire") {
    if (watches === undefined) return undefined;
    const message = `Controller ${controller} is in the configuration of this edge: it does its part itself. Deploy without it, then retire it.`;
    throw new EventplaneError("request_invalid", message, { details: { controller } });
  }
  if (watches !== undefined) return watches;
  throw new EventplaneError("not_found", "The configuration of this edge has no controller of this name.");
}

function isLiving({ lifecycle }: Resource): boolean {
  return lifecycle === "live" || lifecycle === "deleting";
}

/** Living resources whose generation waits for the controller, or on which something of it stands. */
function waitsFor(controller: string): (resource: Resource) => boolean {
  return (resource) => {
    const { expected, finalizers, generation, conditions } = resource;
    const mark = finalizers[controller];
    const isOpen =
      expected.includes(controller) && !(mark?.completed === true && mark.observedGeneration === generation);
    const stands = conditions.some(
      ({ component }) => component === controller || component === `dead-letter:${controller}`,
    );
    return isLiving(resource) && (isOpen || stands);
  };
}
