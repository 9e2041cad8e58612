/** One resource, live: a hook for React. */
import type { Event } from "eventplane";
import type { EventplaneClient, ResourceView } from "eventplane/client";
import { useEffect, useState } from "react";

/** What is known of it now. */
export interface LiveResource {
  /** Undefined until it was read, and while there is none. */
  readonly resource: ResourceView | undefined;
  /** Everything that happened to it, in order, without a gap. */
  readonly events: readonly Event[];
  /** False while the connection is being opened or opened again; what is shown is then what was known before. */
  readonly isLive: boolean;
  /** Why it ended; the page may be loaded again. */
  readonly error: unknown;
}

const nothing: LiveResource = { resource: undefined, events: [], isLive: false, error: undefined };

/** Follows a resource for as long as the component is shown. The client must be the same object each time. */
export function useResource(client: EventplaneClient, aggregateType: string, aggregateId: string): LiveResource {
  const [live, setLive] = useState(nothing);
  useEffect(() => {
    const ended = new AbortController();
    const change = (part: Partial<LiveResource>): void => {
      if (!ended.signal.aborted) setLive((before) => ({ ...before, ...part }));
    };
    setLive(nothing);
    follow(client, { aggregateType, aggregateId }, { signal: ended.signal, change }).catch((error: unknown) =>
      change({ error, isLive: false }),
    );
    return () => ended.abort();
  }, [client, aggregateType, aggregateId]);
  return live;
}

interface Following {
  readonly signal: AbortSignal;
  readonly change: (part: Partial<LiveResource>) => void;
}

/** First all that was, then all that comes: the end of the one is the beginning of the other. */
async function follow(
  client: EventplaneClient,
  stream: { readonly aggregateType: string; readonly aggregateId: string },
  { signal, change }: Following,
): Promise<void> {
  const events: Event[] = [];
  const past = client.readAll(stream, { signal });
  let next = await past.next();
  for (; next.done !== true; next = await past.next()) events.push(next.value);
  const show = async (minPosition: number): Promise<void> => {
    // An event wakes, the resource decides: it is read anew, not older than the event.
    const resource = await client
      .resource(stream.aggregateType, stream.aggregateId, { minPosition, signal })
      .catch((error: unknown) => {
        if ((error as { readonly code?: unknown }).code === "not_found") return undefined;
        throw error;
      });
    change({ resource, events: [...events] });
  };
  await show(next.value);
  const onConnection = (isLive: boolean): void => change({ isLive });
  for await (const item of client.subscribe({ ...stream, after: next.value }, { signal, onConnection })) {
    if (item.type !== "event") continue;
    events.push(item.event);
    await show(item.event.position);
  }
}
