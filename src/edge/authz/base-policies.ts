/**
 * The policies that every plane begins with: they give the four grants and verified sources their meaning, so that no team has to write Cedar.
 *
 * The two `forbid`s hold whatever a tenant's own policies permit: in Cedar a `forbid` wins. They only read attributes that
 * every principal and resource has, because Cedar passes over a `forbid` that errors.
 */

/** Policy id → Cedar text. Ids without a prefix are the base's. */
export const basePolicies: Readonly<Record<string, string>> = {
  "publishers-publish": `permit (principal, action == Eventplane::Action::"PublishIntent", resource)
when { principal.grants.contains("publisher") && principal.tenant == resource.tenant };`,
  "sources-publish-facts": `permit (principal, action == Eventplane::Action::"PublishFact", resource)
when { principal.type == "source" && principal.tenant == resource.tenant };`,
  "readers-read": `permit (principal, action == Eventplane::Action::"Read", resource)
when { principal.grants.contains("reader") && principal.tenant == resource.tenant };`,
  "subscribers-subscribe": `permit (principal, action == Eventplane::Action::"Subscribe", resource)
when { principal.grants.contains("subscriber") && principal.tenant == resource.tenant };`,
  "admins-administer-their-tenant": `permit (principal, action == Eventplane::Action::"Administer", resource)
when { principal.grants.contains("admin") && principal.tenant == resource.tenant };`,
  "platform-admins-administer": `permit (principal, action == Eventplane::Action::"Administer", resource)
when { principal.grants.contains("admin") && principal.isOfPlatform };`,
  "tenants-stay-apart": `forbid (principal, action, resource)
unless {
  principal.tenant == resource.tenant ||
  (principal.isOfPlatform && action == Eventplane::Action::"Administer")
};`,
  "nobody-publishes-into-the-platform": `forbid (
  principal,
  action in [Eventplane::Action::"PublishIntent", Eventplane::Action::"PublishFact"],
  resource
)
when { resource.isPlatform };`,
};
