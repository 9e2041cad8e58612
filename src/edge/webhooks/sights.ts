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
  readonly position: number;
  readonly atMs: number;
  readonly sight: Sight | undefined;
}

/** Finds what owners may see, and remembers it until something changes. */
export class WebhookSights {
  readonly #parts: SightParts;
  readonly #found = new Map<string, Found>();
  #keys: ReadonlyMap<string, readonly KeyEntry[]> = new Map();
  #keysAt = -1;

  constructor(parts: SightParts) {
    this.#parts = parts;
  }

  /** Undefined: the owner has no key that may subscribe to any of it. */
  of(webhook: WebhookEntry): Sight | undefined {
    const { position } = this.#parts.platform.state;
    const atMs = this.#parts.clock.monotonicMs();
    const known = this.#found.get(webhook.id);
    if (known !== undefined && known.position === position && atMs - known.atMs < believedMs) return known.sight;
    const sight = this.#look(webhook);
    this.#found.set(webhook.id, { position, atMs, sight });
    return sight;
  }

  /** Forgets a webhook that is no more. */
  forget(id: string): void {
    this.#found.delete(id);
  }

  #look({ tenantId, owner, filter }: WebhookEntry): Sight | undefined {
    const { clock, authorizer } = this.#parts;
    const nowUs = clock.nowUs();
    const keys = this.#keysOf(tenantId, owner.id).filter((key) => isKeyUsable(key, nowUs));
    const views = keys
      .map(({ principal }) => viewOf(authorizer, principal, { tenantId, filter }))
      .filter(({ classes }) => classes.size > 0);
    if (views.length === 0) return undefined;
    const classOf = classesOf(filter)[0] === "tenant" ? () => "tenant" : (type: string) => `aggregate:${type}`;
    return (row) =>
      views.some(({ classes, scope }) => classes.has(classOf(row.aggregateType)) && (scope?.allows(row) ?? true));
  }

  #keysOf(tenantId: TenantId, principalId: string): readonly KeyEntry[] {
    const { state } = this.#parts.platform;
    if (this.#keysAt !== state.position) {
      const keys = new Map<string, KeyEntry[]>();
      for (const key of state.keys()) {
        const name = `${key.tenantId} ${key.principal.id}`;
        keys.set(name, [...(keys.get(name) ?? []), key]);
      }
      this.#keys = keys;
      this.#keysAt = state.position;
    }
    return this.#keys.get(`${tenantId} ${principalId}`) ?? [];
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
