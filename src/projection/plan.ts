/** What has to change in the bookkeeping of a tenant before it is folded on. Pure. */
import type { Build, ProjectionStep, TenantNotes, TenantProjection } from "./projection-port.js";
import type { PlacedRequest } from "./requests.js";

/** What a plan follows from, beside the tenant itself. */
export interface PlanBasis {
  /** Of the definition that this process runs. */
  readonly version: number;
  readonly fingerprint: string;
  /** Requests in the tenant's log that are not carried out yet, in order. */
  readonly own: readonly PlacedRequest[];
  /** Requests for all tenants, and how far their stream goes. */
  readonly platform: { readonly version: number; readonly requests: readonly PlacedRequest[] };
}

/** The steps that carry out requests, begin a first build, or one of a newer definition. Empty when all is as it should be. */
export function planFor(tenant: TenantProjection, basis: PlanBasis): readonly ProjectionStep[] {
  const draft = new Draft(tenant, basis);
  const isNew = tenant.builds.length === 0;
  if (isNew) draft.begin();
  else for (const placed of basis.platform.requests) draft.obey(placed, "platformVersion");
  for (const placed of basis.own) draft.obey(placed, "ownVersion", isNew);
  draft.followDefinition();
  return draft.steps();
}

/** The tenant after a step, as a store makes it. */
export function afterStep(tenant: TenantProjection, given: ProjectionStep, nowUs: number): TenantProjection {
  const changed = (number: number, change: Partial<Build>): TenantProjection => ({
    ...tenant,
    builds: tenant.builds.map((build) => (build.build === number ? { ...build, ...change } : build)),
  });
  switch (given.step) {
    case "open": {
      const { step: _, ...build } = given;
      return { ...tenant, builds: [...tenant.builds, { ...build, cursor: undefined, startedAtUs: nowUs }] };
    }
    case "note": {
      const { step: _, ...notes } = given;
      return { ...tenant, ...notes };
    }
    case "advance":
      return changed(given.build, { cursor: given.to });
    case "appoint":
      return changed(given.build, { role: given.role });
    case "close":
      return { ...tenant, builds: tenant.builds.filter(({ build }) => build !== given.build) };
  }
}

/** A note of the tenant as it is, with some of it changed. */
export function noteStep(tenant: TenantNotes, change: Partial<TenantNotes>): ProjectionStep {
  const { ownVersion, platformVersion, isPaused, failure, check } = { ...tenant, ...change };
  return { step: "note", ownVersion, platformVersion, isPaused, failure, check };
}

class Draft {
  readonly #tenant: TenantProjection;
  readonly #basis: PlanBasis;
  readonly #steps: ProjectionStep[] = [];
  #builds: readonly Pick<Build, "build" | "role" | "version" | "fingerprint">[];
  #notes: Partial<TenantNotes> = {};

  constructor(tenant: TenantProjection, basis: PlanBasis) {
    this.#tenant = tenant;
    this.#basis = basis;
    this.#builds = tenant.builds;
  }

  steps(): readonly ProjectionStep[] {
    if (Object.keys(this.#notes).length === 0) return this.#steps;
    return [...this.#steps, noteStep(this.#tenant, this.#notes)];
  }

  /** What was asked before there was a build (after a restore there is none) is done with it, but for a pause. */
  begin(): void {
    this.#open("live");
    this.#notes = { platformVersion: this.#basis.platform.version };
  }

  obey({ request, version }: PlacedRequest, stream: "ownVersion" | "platformVersion", isDone = false): void {
    if (version <= this.#tenant[stream]) return;
    this.#notes = { ...this.#notes, [stream]: version };
    switch (request) {
      case "pause":
      case "resume":
        // That all tenants pause is known from the platform's requests themselves.
        if (stream === "ownVersion") this.#notes = { ...this.#notes, isPaused: request === "pause" };
        if (request === "resume") this.#notes = { ...this.#notes, failure: undefined };
        return;
      case "reset":
        if (isDone) return;
        this.#retire("live", "rebuild", "verify");
        this.#open("live");
        this.#notes = { ...this.#notes, failure: undefined };
        return;
      case "rebuild":
      case "verify":
        if (isDone) return;
        this.#retire("rebuild", "verify");
        this.#open(request);
    }
  }

  /** A newer definition is folded beside what is read; an older one, of a process that is being replaced, is not. */
  followDefinition(): void {
    const { version, fingerprint } = this.#basis;
    const live = this.#builds.find(({ role }) => role === "live");
    if (live === undefined || live.fingerprint === fingerprint || live.version > version) return;
    const others = this.#builds.filter(({ role }) => role === "rebuild" || role === "verify");
    if (others.some((build) => build.version > version)) return;
    if (others.some((build) => build.role === "rebuild" && build.fingerprint === fingerprint)) return;
    this.#retire("rebuild", "verify");
    this.#open("rebuild");
  }

  #open(role: Build["role"]): void {
    const { version, fingerprint } = this.#basis;
    const build = Math.max(0, ...this.#builds.map((each) => each.build)) + 1;
    this.#builds = [...this.#builds, { build, role, version, fingerprint }];
    this.#steps.push({ step: "open", build, role, version, fingerprint });
  }

  #retire(...roles: readonly Build["role"][]): void {
    for (const { build, role } of this.#builds) {
      if (roles.includes(role)) this.#steps.push({ step: "appoint", build, role: "retired" });
    }
    this.#builds = this.#builds.map((each) =>
      roles.includes(each.role) ? { ...each, role: "retired" as const } : each,
    );
  }
}
