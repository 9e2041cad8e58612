/** What the benches see of the peers. */
import type pg from "pg";

/** Emmett's PostgreSQL event store with its own pool and its default settings. */
export interface Emmett {
  /** Appends to one stream in one call; `specs` are the data of the events. */
  append(stream: string, type: string, specs: readonly object[]): Promise<void>;
  /** Reads the whole log in pages, as its consumers do, up to `eventsMax`; gives the number of events seen. */
  readAll(pageSize: number, eventsMax: number, visit: (event: { readonly data: object }) => void): Promise<number>;
  /** Reads one stream in pages from its beginning; gives the number of events seen. */
  readStream(stream: string, pageSize: number, visit: (event: { readonly data: object }) => void): Promise<number>;
  close(): Promise<void>;
}

/** Opens a store and creates its schema. */
export function openEmmett(connectionString: string): Promise<Emmett>;

/** `COPY … FROM STDIN` of ready text lines. */
export function copyInto(client: pg.PoolClient, statement: string, lines: string): Promise<void>;
