/** Work rows in PostgreSQL: each change is one function call and one commit, by the database's clock. */
import type pg from "pg";
import { replayerComponent, workerOfComponent } from "../../event/index.js";
import { assert, isEventplaneError, limits, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import { ask, askInTenant, type NamedStatement, translatePgError } from "../../store/postgres/index.js";
import { deadLetterId } from "../dead-letter-id.js";
import {
  type ControllerRows,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DispatchResult,
  type EffectAsker,
  type EffectChange,
  type EffectRow,
  heldCode,
  type LogPlace,
  type LookedUp,
  type StandingWork,
  type UnattendedRows,
  type Watch,
  type WorkBacklog,
  type WorkClaim,
  type WorkEnd,
  type WorkFailure,
  type WorkKey,
  type WorkStore,
} from "../port.js";
import * as controllerSql from "./controller-statements.js";
import * as letterSql from "./dead-letter-statements.js";
import * as effectSql from "./effect-statements.js";
import * as sql from "./statements.js";

const zeroUuid = "00000000-0000-0000-0000-000000000000";
/** The queue of the reconciles; each worker has one of its own, under its component's name, and so have the replays. */
const reconciles = "";
/** Tenants that one dispatch round without a hint takes up; the pool bounds how many at once. */
const dispatchTenantsMax = 16;

/**
 * The work table of one database, for the role `_runtime`; `deadLetters` alone also for `_edge`.
 *
 * Each instance goes round the tenants in its own turn, so that no tenant waits for another's backlog.
 */
export class PostgresWorkStore implements WorkStore {
  readonly #pool: pg.Pool;
  readonly #codeVersion: string;
  /** The rounds go on after these tenants; those of claims by queue. */
  readonly #claimedLast = new Map<string, string>();
  #dispatchedLast: string = zeroUuid;

  /** @param options.codeVersion of the app that this process runs; dead letters tell it */
  constructor(pool: pg.Pool, options: { readonly codeVersion?: string } = {}) {
    this.#pool = pool;
    this.#codeVersion = options.codeVersion ?? "";
  }

  async dispatch(watches: readonly Watch[], tenantId?: TenantId): Promise<DispatchResult> {
    if (tenantId !== undefined) return this.#dispatchTenant(watches, tenantId);
    const tenants = await this.#tenantsWithNews();
    const results = await Promise.all(tenants.map((tenant) => this.#dispatchTenant(watches, tenant)));
    const events = results.reduce((sum, result) => sum + result.events, 0);
    return {
      events,
      more: (tenants.length === dispatchTenantsMax && events > 0) || results.some(({ more }) => more),
      broken: results.flatMap(({ broken }) => broken),
    };
  }

  async #tenantsWithNews(): Promise<readonly TenantId[]> {
    const rows = await ask<{ tenant_id: TenantId }>(this.#pool, sql.tenantsWithNews, [
      this.#dispatchedLast,
      dispatchTenantsMax,
    ]);
    const tenants = rows.map((row) => row.tenant_id);
    const wasRound = this.#dispatchedLast !== zeroUuid && tenants.length < dispatchTenantsMax;
    this.#dispatchedLast = tenants.length < dispatchTenantsMax ? zeroUuid : (tenants.at(-1) ?? zeroUuid);
    return wasRound && tenants.length === 0 ? this.#tenantsWithNews() : tenants;
  }

  async #dispatchTenant(watches: readonly Watch[], tenantId: TenantId): Promise<DispatchResult> {
    const types = watches.map(({ aggregateType }) => aggregateType);
    const components = watches.map(({ component }) => component);
    try {
      const [row] = await ask<{ events: string; more: boolean; chain_broken: boolean }>(this.#pool, sql.dispatch, [
        tenantId,
        types,
        components,
        limits.readPageMax,
      ]);
      return {
        events: Number(row?.events ?? 0),
        more: row?.more ?? false,
        broken: row?.chain_broken === true ? [tenantId] : [],
      };
    } catch (error) {
      // A row to wake is being settled: nothing was done, the next round does it.
      if (isEventplaneError(error, "busy")) return { events: 0, more: true, broken: [] };
      throw error;
    }
  }

  async claim(options: {
    readonly components: readonly string[];
    readonly limit: number;
    readonly leaseMs: number;
  }): Promise<readonly WorkClaim[]> {
    const { components, limit, leaseMs } = options;
    const queues = queuesOf(components);
    const [queue = reconciles] = queues;
    assert(queues.length <= 1, "rows of one queue are claimed at a time");
    const after = this.#claimedLast.get(queue) ?? zeroUuid;
    const rows = await ask<sql.ClaimRow>(this.#pool, sql.claim, [queue, components, limit, leaseMs, after]);
    const tenants = rows.map((row) => row.tenant_id).sort();
    this.#claimedLast.set(queue, new Set(tenants).size < limit ? zeroUuid : (tenants.at(-1) ?? zeroUuid));
    if (rows.length === 0 && after !== zeroUuid) return this.claim(options);
    return rows.map(sql.decodeClaim);
  }

  async extend(claims: readonly WorkClaim[], leaseMs: number): Promise<readonly WorkClaim[]> {
    if (claims.length === 0) return [];
    const rows = await ask<{ lease_token: string }>(this.#pool, sql.extend, [
      claims.map((claim) => claim.tenantId),
      claims.map((claim) => claim.aggregateType),
      claims.map((claim) => claim.aggregateId),
      claims.map((claim) => claim.component),
      claims.map((claim) => claim.leaseToken),
      leaseMs,
    ]);
    const held = new Set(rows.map((row) => row.lease_token));
    return claims.filter((claim) => held.has(claim.leaseToken));
  }

  /**
   * Ends all leases at once instead of when they run out: the first thing to do on a database that certainly nobody
   * else works on. A holder that lives after all loses its lease, and its append is refused.
   *
   * @returns rows that are due now
   */
  async endLeases(): Promise<number> {
    try {
      return (await this.#pool.query(sql.endLeases)).rowCount ?? 0;
    } catch (error) {
      throw translatePgError(error);
    }
  }

  lookedUp(claim: WorkClaim, seen: readonly LookedUp[]): Promise<boolean> {
    return this.#end(sql.lookedUp, claim, [
      seen.map(({ aggregateType }) => aggregateType),
      seen.map(({ aggregateId }) => aggregateId),
      seen.map(({ version }) => version),
    ]);
  }

  finish(
    claim: WorkClaim,
    { dueAfterMs, seenVersion }: { readonly dueAfterMs: number | null; readonly seenVersion: number },
  ): Promise<boolean> {
    return this.#end(sql.finish, claim, [dueAfterMs === null ? null : Math.ceil(dueAfterMs), seenVersion]);
  }

  async finishTogether(ends: readonly WorkEnd[]): Promise<readonly WorkClaim[]> {
    const [first] = ends;
    if (first === undefined) return [];
    const { tenantId, aggregateType, aggregateId } = first.claim;
    const rows = await ask<{ component: string }>(this.#pool, sql.finishTogether, [
      tenantId,
      aggregateType,
      aggregateId,
      ends.map(({ claim }) => claim.component),
      ends.map(({ claim }) => claim.leaseToken),
      ends.map(({ dueAfterMs }) => (dueAfterMs === null ? null : Math.ceil(dueAfterMs))),
      ends.map(({ seenVersion }) => seenVersion),
      ends.find(({ isSettled }) => isSettled)?.claim.component ?? null,
    ]);
    const held = new Set(rows.map(({ component }) => component));
    return ends.filter(({ claim, isSettled }) => isSettled || held.has(claim.component)).map(({ claim }) => claim);
  }

  release(claim: WorkClaim, { dueAfterMs }: { readonly dueAfterMs: number }): Promise<boolean> {
    return this.#end(sql.release, claim, [Math.ceil(dueAfterMs)]);
  }

  fail(
    claim: WorkClaim,
    failure: WorkFailure,
    { retryAfterMs, generation }: { readonly retryAfterMs: number | null; readonly generation: number | null },
  ): Promise<boolean> {
    const retry = retryAfterMs === null ? null : Math.ceil(retryAfterMs);
    const { code, message } = failure;
    return this.#end(sql.fail, claim, [retry, code, message, generation, this.#codeVersion, deadLetterId(claim)]);
  }

  async wake(
    { tenantId, aggregateType, aggregateId, component }: WorkKey,
    { dueAfterMs }: { readonly dueAfterMs: number },
  ): Promise<void> {
    await ask(this.#pool, sql.wake, [tenantId, aggregateType, aggregateId, component, Math.ceil(dueAfterMs)]);
  }

  async forget({ tenantId, aggregateType, aggregateId, component }: WorkKey): Promise<void> {
    await ask(this.#pool, controllerSql.forget, [tenantId, aggregateType, aggregateId, component]);
  }

  async changesPlace(): Promise<LogPlace | undefined> {
    const [row] = await ask<PlaceRow>(this.#pool, controllerSql.changesPlace, [PLATFORM_TENANT_ID]);
    return row === undefined ? undefined : placeOf(row);
  }

  async moveChanges(from: number, { logEpoch, position, hash }: LogPlace): Promise<boolean> {
    const values = [PLATFORM_TENANT_ID, from, logEpoch, position, hash];
    return (await ask(this.#pool, controllerSql.moveChanges, values)).length === 1;
  }

  async controllerRows(tenantId: TenantId): Promise<readonly ControllerRows[]> {
    const { controllerRows } = controllerSql;
    const rows = await this.#inTenant<controllerSql.ControllerSqlRow>(tenantId, controllerRows, [tenantId]);
    return rows.map(controllerSql.decodeControllerRow);
  }

  async nextDueMs(components: readonly string[]): Promise<number | null> {
    const [row] = await ask<{ due_ms: number | null }>(this.#pool, sql.nextDue, [queuesOf(components), components]);
    return row?.due_ms ?? null;
  }

  async unattended(
    components: readonly string[],
    { dueForMs }: { readonly dueForMs: number },
  ): Promise<readonly UnattendedRows[]> {
    const { unattended } = controllerSql;
    const rows = await ask<controllerSql.UnattendedSqlRow>(this.#pool, unattended, [components, Math.ceil(dueForMs)]);
    return rows.map((row) => ({ component: row.component, rows: row.rows, oldestSeconds: row.oldest_seconds }));
  }

  async backlog(components: readonly string[]): Promise<WorkBacklog> {
    const [row] = await ask<{ rows: number; oldest_seconds: number }>(this.#pool, sql.backlog, [
      queuesOf(components),
      components,
    ]);
    return { rows: row?.rows ?? 0, oldestSeconds: row?.oldest_seconds ?? 0 };
  }

  async tenantsWithEffects(after: string, limit: number): Promise<readonly TenantId[]> {
    const rows = await ask<{ tenant_id: TenantId }>(this.#pool, effectSql.tenantsWithEffects, [
      after || zeroUuid,
      limit,
    ]);
    return rows.map((row) => row.tenant_id);
  }

  async effectPlace(tenantId: TenantId): Promise<LogPlace | undefined> {
    const [row] = await ask<PlaceRow>(this.#pool, effectSql.effectPlace, [tenantId]);
    return row === undefined ? undefined : placeOf(row);
  }

  async dispatchEffects(
    tenantId: TenantId,
    news: { readonly from: number; readonly to: LogPlace; readonly changes: readonly EffectChange[] },
  ): Promise<boolean> {
    const { from, to, changes } = news;
    try {
      const [row] = await ask<{ applied: boolean }>(this.#pool, effectSql.dispatchEffects, [
        tenantId,
        from,
        to.logEpoch,
        to.position,
        to.hash,
        changes.map(({ askId }) => askId),
        changes.map(({ component }) => component),
        changes.map(({ change }) => change),
        changes.map(({ position }) => position),
        changes.map((change) => askerOf(change)?.aggregateType ?? null),
        changes.map((change) => askerOf(change)?.aggregateId ?? null),
        changes.map((change) => askerOf(change)?.generation ?? null),
      ]);
      return row?.applied === true;
    } catch (error) {
      // A row is being settled: nothing was done, the next round does it.
      if (isEventplaneError(error, "busy")) return false;
      throw error;
    }
  }

  async standing(): Promise<readonly StandingWork[]> {
    const rows = await ask<letterSql.StandingSqlRow>(this.#pool, letterSql.standing, [heldCode]);
    return rows.map(letterSql.decodeStanding);
  }

  async effects(tenantId: TenantId): Promise<readonly EffectRow[]> {
    const rows = await this.#inTenant<effectSql.EffectSqlRow>(tenantId, effectSql.effects, [tenantId, null]);
    return rows.map(effectSql.decodeEffect);
  }

  async effect(tenantId: TenantId, askId: string): Promise<EffectRow | undefined> {
    const rows = await this.#inTenant<effectSql.EffectSqlRow>(tenantId, effectSql.effects, [tenantId, askId]);
    return rows.map(effectSql.decodeEffect)[0];
  }

  async deadLetters(
    tenantId: TenantId,
    filter: DeadLetterFilter = {},
    { limit = limits.readPageMax }: { readonly limit?: number } = {},
  ): Promise<readonly DeadLetter[]> {
    const values = [...letterSql.filterValues(tenantId, filter), limit];
    const rows = await this.#inTenant<letterSql.DeadLetterRow>(tenantId, letterSql.deadLetters, values);
    return rows.map(letterSql.decodeDeadLetter);
  }

  async deadLetter(tenantId: TenantId, id: string): Promise<DeadLetter | undefined> {
    const rows = await this.#inTenant<letterSql.DeadLetterRow>(tenantId, letterSql.deadLetter, [tenantId, id]);
    return rows.map(letterSql.decodeDeadLetter)[0];
  }

  async deadLetterGroups(tenantId: TenantId, filter: DeadLetterFilter = {}): Promise<readonly DeadLetterGroup[]> {
    const values = letterSql.filterValues(tenantId, filter);
    const rows = await this.#inTenant<letterSql.DeadLetterGroupRow>(tenantId, letterSql.deadLetterGroups, values);
    return rows.map(letterSql.decodeDeadLetterGroup);
  }

  /** Reads as a role that row security holds to one tenant. */
  #inTenant<Row extends pg.QueryResultRow>(
    tenantId: TenantId,
    statement: NamedStatement,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    return askInTenant<Row>(this.#pool, tenantId, { ...statement, values: [...values] });
  }

  async #end(statement: { name: string; text: string }, claim: WorkClaim, rest: readonly unknown[]): Promise<boolean> {
    const { tenantId, aggregateType, aggregateId, component, leaseToken } = claim;
    const [row] = await ask<{ held: boolean }>(this.#pool, statement, [
      tenantId,
      aggregateType,
      aggregateId,
      component,
      leaseToken,
      ...rest,
    ]);
    return row?.held === true;
  }
}

function askerOf(change: EffectChange): EffectAsker | undefined {
  return change.change === "asked" ? change.asker : undefined;
}

interface PlaceRow {
  readonly log_epoch: number;
  readonly position: string;
  readonly hash: Buffer;
}

function placeOf({ log_epoch: logEpoch, position, hash }: PlaceRow): LogPlace {
  return { logEpoch, position: Number(position), hash };
}

/** The queues that rows of these components are in. */
function queuesOf(components: readonly string[]): readonly string[] {
  return [...new Set(components.map((component) => (hasOwnQueue(component) ? component : reconciles)))];
}

function hasOwnQueue(component: string): boolean {
  return component === replayerComponent || workerOfComponent(component) !== undefined;
}
