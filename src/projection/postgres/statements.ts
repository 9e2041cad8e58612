/** The SQL of the resources projection. */

/** $1 after this tenant, $2 how many. */
export const tenantsWithNews = {
  name: "ep_resources_tenants_with_news",
  text: `select h.tenant_id
    from eventplane.heads h left join eventplane.cursors c on c.consumer = 'resources' and c.tenant_id = h.tenant_id
    where h.tenant_id > $1::uuid and h.position is distinct from coalesce(c.position, 0)
    order by h.tenant_id limit $2::int`,
} as const;

/** $1 tenant, $2 where counting ends. */
export const count = {
  name: "ep_resources_count",
  text: `select count(*) as resources from (
    select 1 from eventplane.resources where tenant_id = $1::uuid limit $2::bigint) r`,
};

/** $1 tenant. */
export const cursor = {
  name: "ep_resources_cursor",
  text: `select log_epoch, position, hash from eventplane.cursors where consumer = 'resources' and tenant_id = $1::uuid`,
} as const;

/** $1 tenant, $2 aggregate types and $3 ids of the streams. */
export const folds = {
  name: "ep_resources_folds",
  text: `select r.resource
    from unnest($2::text[], $3::text[]) s (aggregate_type, aggregate_id)
    join eventplane.resources r
      on r.tenant_id = $1::uuid and r.aggregate_type = s.aggregate_type and r.aggregate_id = s.aggregate_id`,
} as const;

/** $1 tenant, $2 epoch, $3 from, $4 to, $5 hash, $6–$13 columns of the folds. */
export const apply = {
  name: "ep_resources_apply",
  text: `select eventplane.resources_apply($1::uuid, $2::int, $3::bigint, $4::bigint, $5::bytea, $6::text[], $7::text[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[]) as applied`,
} as const;

/** $1 tenant, $2 aggregate type, $3 aggregate id. */
export const one = {
  name: "ep_resources_one",
  text: `select resource from eventplane.resources
    where tenant_id = $1::uuid and aggregate_type = $2::text and aggregate_id = $3::text`,
} as const;

/** $1 tenant, $2 aggregate type, $3 after this id, $4 how many. */
export const page = {
  name: "ep_resources_page",
  text: `select resource from eventplane.resources
    where tenant_id = $1::uuid and aggregate_type = $2::text and aggregate_id > $3::text
    order by aggregate_id limit $4::int`,
} as const;

/** As `page`, with $5 phase. */
export const pageOfPhase = {
  name: "ep_resources_page_of_phase",
  text: `select resource from eventplane.resources
    where tenant_id = $1::uuid and aggregate_type = $2::text and phase = $5::text and aggregate_id > $3::text
    order by aggregate_id limit $4::int`,
} as const;
