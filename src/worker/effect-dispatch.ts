/** From the log to rows of effects: asks make them, decisions wake them, results end them. */
import { type EventRow, effectComponent, effectRoleOf, parseStored, readAsk } from "../event/index.js";
import { EventplaneError, isEventplaneError, type TenantId } from "../kernel/index.js";
import { firstPageLimit, type LogReader, nextPageLimit } from "../store/index.js";
import { type EffectChange, effectRowType, type LogPlace, type WorkStore } from "../work/index.js";

/** What dispatch needs. */
export interface EffectDispatchOptions {
  readonly reader: LogReader;
  readonly work: Pick<WorkStore, "tenantsWithEffects" | "effectPlace" | "dispatchEffects">;
}

/** How far this process knows a tenant's log: `stored` is the place in the work table, `read` what it has looked at since. */
interface Known {
  stored: number;
  read: LogPlace | undefined;
}

/** What a page of events holds, about; at most 1,000 events. */
const pageBytesAim = 4_194_304;
const tenantsPerLook = 64;
/** Pages of one tenant before others get their turn. */
const pagesMax = 16;
/** Events without an effect among them before the place is stored all the same. */
const unstoredMax = 1_000;

/** Turns new events into changes of rows. Several processes share a tenant: who comes second begins anew. */
export class EffectDispatch {
  readonly #options: EffectDispatchOptions;
  readonly #known = new Map<TenantId, Known>();
  /** Events of the next page: more of small ones, fewer of large ones. */
  #pageEvents = firstPageLimit;

  constructor(options: EffectDispatchOptions) {
    this.#options = options;
  }

  /**
   * Dispatches what all tenants have that is new.
   *
   * @param onBroken is called for a tenant whose log cannot be read, or does not continue where its place stands: nothing of
   * it is dispatched, and the others are
   * @returns whether anything was dispatched
   */
  async all(onBroken: (tenantId: TenantId, error: EventplaneError) => void): Promise<boolean> {
    let dispatched = false;
    for (let after = ""; ; ) {
      const tenants = await this.#options.work.tenantsWithEffects(after, tenantsPerLook);
      for (const tenantId of tenants) dispatched = (await this.tenant(tenantId, onBroken, true)) || dispatched;
      const last = tenants.at(-1);
      if (last === undefined || tenants.length < tenantsPerLook) return dispatched;
      after = last;
    }
  }

  /** The same for one tenant. `stores`: its place is stored though no effect is among the events. */
  async tenant(
    tenantId: TenantId,
    onBroken: (tenantId: TenantId, error: EventplaneError) => void,
    stores = false,
  ): Promise<boolean> {
    let dispatched = false;
    try {
      for (let page = 0; page < pagesMax; page++) {
        const { changes, more } = await this.#page(tenantId, stores);
        dispatched ||= changes > 0;
        if (!more) break;
      }
    } catch (error) {
      if (!isEventplaneError(error) || error.retryable) throw error;
      onBroken(tenantId, error);
    }
    return dispatched;
  }

  async #page(tenantId: TenantId, stores: boolean): Promise<{ readonly changes: number; readonly more: boolean }> {
    const { reader, work } = this.#options;
    const known = await this.#knownOf(tenantId);
    const limit = this.#pageEvents;
    const rows = await reader.read(tenantId, { after: known.read?.position ?? 0, limit });
    if (rows.length === limit) this.#pageEvents = nextPageLimit(limit, rows, pageBytesAim);
    assertContinues(tenantId, known.read, rows);
    const to = placeOf(rows.at(-1)) ?? known.read;
    const changes = rows.flatMap((row) => changeOf(row) ?? []);
    const unstored = (to?.position ?? 0) - known.stored;
    if (to !== undefined && (changes.length > 0 || unstored >= unstoredMax || (stores && unstored > 0))) {
      if (!(await work.dispatchEffects(tenantId, { from: known.stored, to, changes }))) {
        this.#known.delete(tenantId);
        return { changes: 0, more: false };
      }
      known.stored = to.position;
    }
    known.read = to;
    return { changes: changes.length, more: rows.length === limit };
  }

  async #knownOf(tenantId: TenantId): Promise<Known> {
    const known = this.#known.get(tenantId);
    if (known !== undefined) return known;
    const place = await this.#options.work.effectPlace(tenantId);
    const fresh = { stored: place?.position ?? 0, read: place };
    this.#known.set(tenantId, fresh);
    return fresh;
  }
}

function placeOf(row: EventRow | undefined): LogPlace | undefined {
  return row === undefined ? undefined : { logEpoch: row.logEpoch, position: row.position, hash: row.hash };
}

function assertContinues(tenantId: TenantId, place: LogPlace | undefined, rows: readonly EventRow[]): void {
  const [first] = rows;
  if (place === undefined || first === undefined) return;
  const follows = first.position === place.position + 1 && first.logEpoch === place.logEpoch;
  if (follows && Buffer.compare(first.previousHash, place.hash) === 0) return;
  throw new EventplaneError(
    "verification_failed",
    `The log of tenant ${tenantId} does not continue at position ${place.position}, where its workers stopped reading. Run evtctl verify.`,
    { details: { tenantId, position: place.position } },
  );
}

/** What a row of the log means; whether it holds is verified when the effect is worked on. */
function changeOf(row: EventRow): EffectChange | undefined {
  if (row.aggregateType === effectRowType) return decisionOf(row);
  const component = row.decision?.component;
  const role = component === undefined ? undefined : effectRoleOf(component);
  if (component === undefined || role === undefined) return undefined;
  const { position } = row;
  if (role === "result" && row.causationId !== null)
    return { change: "ended", askId: row.causationId, component, position };
  const ask = role === "ask" ? readAsk(row, parseStored(row.specText, row)) : undefined;
  if (ask === undefined) return undefined;
  const { aggregateType, aggregateId, generation } = row;
  const asker = { aggregateType, aggregateId, generation };
  return { change: "asked", askId: row.id, component: effectComponent("result", ask.worker), position, asker };
}

/** `effect.resolved` and `effect.retried` of the edge. */
function decisionOf(row: EventRow): EffectChange | undefined {
  const spec = parseStored(row.specText, row);
  const worker = typeof spec === "object" && spec !== null && "worker" in spec ? spec.worker : undefined;
  if (typeof worker !== "string") return undefined;
  const component = effectComponent("result", worker);
  return { change: "decided", askId: row.aggregateId, component, position: row.position };
}
