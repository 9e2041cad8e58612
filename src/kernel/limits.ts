/** Named limits of everything that crosses a border. Defaults; the configuration may lower them, never raise `hard` ones. */
export const limits = {
  /** One event: its spec, status and envelope together, bytes. */
  eventBytesMax: 262_144,
  /** One HTTP request body, bytes. */
  bodyBytesMax: 4_194_304,
  /** A delivery of a source, bytes: it is read before its signature can be checked. */
  deliveryBytesMax: 1_048_576,
  /** Nesting of JSON objects and arrays. */
  jsonDepthMax: 32,
  /** JSON values in one body outside of the events' own payloads (their specs). */
  jsonValuesMax: 20_000,
  /** Events in one HTTP request and in one atomic append. */
  eventsPerRequestMax: 1_000,
  /** One call of the append function (DESIGN §13.4). */
  callTenantsMax: 64,
  callEventsMax: 1_000,
  /** Events that a coalescer gathers into one call; a larger append goes alone. Smaller calls of several tenants run side by side. */
  callEventsGathered: 200,
  callBytesMax: 4_194_304,
  /** Calls of one coalescer in flight, in all; per tenant it is always one. */
  callsInFlightMax: 4,
  /** Appends waiting in one coalescer before it answers `busy`. */
  coalescerQueueMax: 20_000,
  coalescerQueueBytesMax: 67_108_864,
  /** Database time-outs of an append, milliseconds. */
  lockTimeoutMs: 2_000,
  statementTimeoutMs: 5_000,
  /** Events on one page of a read. */
  readPageMax: 1_000,
  /** Events of a stream between two of its snapshots, and the characters of one. */
  snapshotEvents: 100,
  snapshotCharactersMax: 4_194_304,
  /** Filtered readers get a bookmark at least this often. */
  bookmarkIntervalMs: 5_000,
  bookmarkPositions: 1_000,
  /** Effects that one reconcile may ask for, and bytes of an effect's input and of its result. */
  effectAsksMax: 16,
  effectPayloadBytesMax: 65_536,
  /** Other resources that one reconcile may look up. */
  lookupsMax: 16,
  /** What one reconcile may emit, and all controllers of a resource in one generation. */
  emitsMax: 64,
  emitsPerGenerationMax: 1_000,
  /** A row of a projection: characters of its key, bytes of its JSON value. */
  projectionKeyCharactersMax: 256,
  projectionValueBytesMax: 65_536,
  /** What one event may do to the tables of a projection, and tables of a projection. */
  projectionWritesPerEventMax: 256,
  projectionTablesMax: 16,
  /**
   * A schema that a tenant registers: its bytes, the schemas in it, the values of one `enum`, the instructions of its patterns, and the
   * work of checking one value: its parts with references followed; of those that are asked of every element members count 5, branches 50.
   */
  schemaBytesMax: 65_536,
  schemaPartsMax: 1_000,
  schemaEnumMax: 1_000,
  schemaPatternInstructionsMax: 1_000,
  schemaWorkMax: 2_500,
  /** Types that a tenant registers, versions of each, all versions of their schemas, bytes, and the bytes of a spec of one. */
  tenantTypesMax: 200,
  tenantTypeVersionsMax: 100,
  tenantSchemasBytesMax: 1_048_576,
  tenantSpecBytesMax: 32_768,
  /** Tokens and characters of a type; characters of an aggregate id. */
  typeTokensMax: 8,
  typeCharactersMax: 128,
  aggregateIdCharactersMax: 128,
} as const;
