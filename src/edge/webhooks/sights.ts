/**
 * What webhooks may be sent: what their owners may subscribe to at this moment, with the keys that they have and the policies that
 * there are.
 */
import { type Clock, type TenantId } from "../../kernel/index.js";
import { aggregatesOf, type Sight, type WebhookEntry, type WebhookFilter } from "../../webhook/index.js";
import type { Authorizer } from "../authz/authorizer.js";
import type { ResourceClass } from "../authz/ruling.js";
import type { PlatformFold } from "../platform/fold.js";
import { isKeyUsable, type KeyEntry } from "../platform/key-book.js";
import type { Principal } from "../principal.js";
import { scopeOf } from "../principal-scope.js";
import type { Scope } from "../scope.js";

/** What it needs. */
export interface SightParts {
  readonly platform: PlatformFold;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
}

/** A key may expire without an event: so long is what was found believed. */
const believedMs = 500;

interface Found {
  readonly atMs: number;
  readonly sight: Sight | undefined;
}

/** Finds what owners may see, and remembers it until something changes. */
export class WebhookSights {
  readonly #parts: SightParts;
  readonly #found = new Map<string, Found>();
  #keys: ReadonlyMap<string, readonly KeyEntry[]> = new Map();
  /** Of the platform's log, that all of it was found at. */
  #position = -1;

  constructor(parts: SightParts) {
    this.#parts = parts;
  }

  /** Undefined: the owner has no key that may subscribe to any of it. */
  of(webhook: WebhookEntry): Sight | undefined {
    const { position } = this.#parts.platform.state;
    if (position !== this.#position) {
      this.#found.clear();
      this.#keys = this.#keysByPrincipal();
      this.#position = position;
    }
    const atMs = this.#parts.clock.monotonicMs();
    const known = this.#found.get(webhook.id);
    if (known !== undefined && atMs - known.atMs < believedMs) return known.sight;
    const sight = this.#look(webhook);
    this.#found.set(webhook.id, { atMs, sight });
    return sight;
  }

  #look({ tenantId, owner, filter }: WebhookEntry): Sight | undefined {
    const { clock, authorizer } = this.#parts;
    const nowUs = clock.nowUs();
    const keys = (this.#keys.get(`${tenantId} ${owner.id}`) ?? []).filter((key) => isKeyUsable(key, nowUs));
    const views = keys
      .map(({ principal }) => viewOf(authorizer, principal, { tenantId, filter }))
      .filter(({ classes }) => classes.size > 0);
    if (views.length === 0) return undefined;
    const classOf = classesOf(filter)[0] === "tenant" ? () => "tenant" : (type: string) => `aggregate:${type}`;
    return (row) =>
      views.some(({ classes, scope }) => classes.has(classOf(row.aggregateType)) && (scope?.allows(row) ?? true));
  }

  #keysByPrincipal(): ReadonlyMap<string, readonly KeyEntry[]> {
    const keys = new Map<string, KeyEntry[]>();
    for (const key of this.#parts.platform.state.keys()) {
      const name = `${key.tenantId} ${key.principal.id}`;
      const known = keys.get(name);
      if (known === undefined) keys.set(name, [key]);
      else known.push(key);
    }
    return keys;
  }
}

/** The classes that a subscription with this filter asks for, as one over SSE does. */
export function classesOf(filter: WebhookFilter): readonly ResourceClass[] {
  const aggregates = aggregatesOf(filter);
  return aggregates.length === 0 ? ["tenant"] : aggregates.map((name): ResourceClass => `aggregate:${name}`);
}

/** Which of them a principal may subscribe to. */
export function viewOf(
  authorizer: Authorizer,
  principal: Principal,
  { tenantId, filter }: { readonly tenantId: TenantId; readonly filter: WebhookFilter },
): { readonly classes: ReadonlySet<string>; readonly scope: Scope | undefined } {
  const allowed = classesOf(filter).filter(
    (resource) => authorizer.rule(principal, "Subscribe", { tenantId, resource }).allowed,
  );
  return { classes: new Set(allowed), scope: scopeOf(principal, "Subscribe") };
}
