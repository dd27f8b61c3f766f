-- The status is kstatus-shaped: observedGeneration, Ready always, Reconciling and Stalled only while true.
-- No string library: Argo CD does not load it in production. "Pending deletion" is Argo CD's own, before this is called.
local hs = {}
if obj.status == nil or obj.status.conditions == nil then
  hs.status = "Progressing"
  hs.message = "Waiting for ovs-traffic-control to report"
  return hs
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  hs.status = "Progressing"
  hs.message = "Waiting for generation " .. tostring(obj.metadata.generation) .. " to be observed"
  return hs
end
local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local ready, stalled, reconciling = conditions.Ready, conditions.Stalled, conditions.Reconciling
if stalled ~= nil and stalled.status == "True" then
  hs.status = "Degraded"
  hs.message = stalled.message
elseif ready ~= nil and ready.status == "True" then
  hs.status = "Healthy"
  hs.message = ready.message
elseif reconciling ~= nil and reconciling.status == "True" then
  hs.status = "Progressing"
  hs.message = reconciling.message
elseif ready ~= nil and ready.reason == "OperatorUninstalled" then
  hs.status = "Suspended"
  hs.message = ready.message
else
  hs.status = "Progressing"
  hs.message = ready ~= nil and ready.message or "Waiting for ovs-traffic-control to report"
end
return hs
