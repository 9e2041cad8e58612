/** The events of one trace as a tree by causation. */
import type { Event } from "../../event/index.js";
import { formatMs } from "../duration.js";
import { safe, type Terminal } from "../terminal.js";

/** An event with what followed from it. */
export interface TraceNode {
  readonly event: Event;
  readonly followedBy: readonly TraceNode[];
}

/** Roots in position order; an event whose cause is not in the trace is a root. */
export function traceTree(events: readonly Event[]): readonly TraceNode[] {
  const ids = new Set(events.map(({ id }) => id as string));
  const causes = new Map<string | null, Event[]>();
  for (const event of events) {
    const cause =
      event.causationId !== null && ids.has(event.causationId) && event.causationId !== event.id
        ? event.causationId
        : null;
    causes.set(cause, [...(causes.get(cause) ?? []), event]);
  }
  // Causes come before effects in the log, so that a chain of causes never closes.
  const grow = (cause: string | null): readonly TraceNode[] =>
    (causes.get(cause) ?? []).map((event) => ({ event, followedBy: grow(event.id) }));
  return grow(null);
}

/** The tree as lines: who asked and who allowed it at each root, then what followed and when. */
export function* treeLines(roots: readonly TraceNode[], terminal: Terminal): Generator<string> {
  for (const root of roots) {
    yield* rootLines(root.event, terminal);
    yield* branchLines(root, { terminal, prefix: "", startMs: Date.parse(root.event.recordedAt) });
    const last = lastMs(root);
    yield terminal.dim(`${formatMs(last - Date.parse(root.event.recordedAt))} from the first event to the last`);
  }
}

function* rootLines(event: Event, terminal: Terminal): Generator<string> {
  const { causedBy } = event;
  const { principal, via, edge, keyId, rulingId, policies, policySetHash, requestId } = causedBy;
  yield `${terminal.bold(safe(event.type))}  ${safe(`${event.aggregateType}/${event.aggregateId}`)}`;
  yield `  asked by    ${safe(principal.type)} ${safe(principal.id)} via ${safe(via)} at edge ${safe(edge)} (request ${safe(requestId)})`;
  yield `  with key    ${keyId === null ? "none" : safe(keyId)}`;
  yield `  allowed by  ${safe(policies.length === 0 ? "no policy" : policies.join(", "))} (ruling ${safe(rulingId)}, policy set ${safe(String(policySetHash).slice(0, 12))}…)`;
  yield `  event       ${safe(event.id)} at position ${event.position}, ${safe(event.recordedAt)}`;
}

interface Branch {
  readonly terminal: Terminal;
  readonly prefix: string;
  readonly startMs: number;
}

function* branchLines(node: TraceNode, { terminal, prefix, startMs }: Branch): Generator<string> {
  let beforeMs = Date.parse(node.event.recordedAt);
  for (const [at, child] of node.followedBy.entries()) {
    const isLast = at === node.followedBy.length - 1;
    const nowMs = Date.parse(child.event.recordedAt);
    yield `${prefix}${isLast ? "└─" : "├─"} ${eventText(child.event, terminal)}  ${terminal.dim(`+${formatMs(nowMs - startMs)}, took ${formatMs(nowMs - beforeMs)}`)}`;
    yield* branchLines(child, { terminal, prefix: `${prefix}${isLast ? "   " : "│  "}`, startMs });
    beforeMs = nowMs;
  }
}

function eventText({ type, kind, position, decision, finalizers }: Event, terminal: Terminal): string {
  const component = decision?.component;
  const isDone = component !== undefined && finalizers[component]?.completed === true;
  const mark = isDone ? ` ${terminal.green("✓")}` : "";
  return `${safe(type)}${mark}  ${terminal.dim(`${safe(kind)}${component === undefined ? "" : ` by ${safe(component)}`}, position ${position}`)}`;
}

function lastMs({ event, followedBy }: TraceNode): number {
  return Math.max(Date.parse(event.recordedAt), ...followedBy.map(lastMs));
}
