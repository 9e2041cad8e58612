/** Intakes: tables in an application's own database that intents are taken from. */

/** An intake, normalized. */
export interface IntakeDefinition {
  readonly name: string;
  /** A secret. Absent: not known to this process. */
  readonly databaseUrl: () => string | undefined;
  /** The schema of its table, and the channel that it is woken by. */
  readonly schema: string;
  /** Ids and slugs of the tenants that it may publish in. */
  readonly tenants: ReadonlySet<string> | "all";
  /** Types and beginnings of types that it may publish; absent: all. */
  readonly types?: readonly string[];
  /** Types that its rows may give their principals. */
  readonly principalTypes: ReadonlySet<string>;
  /** Waits for notifications beside polling. */
  readonly listens: boolean;
  readonly pollMs: number;
  /** How long rows stay that were accepted. */
  readonly keepAcceptedMs: number;
}
