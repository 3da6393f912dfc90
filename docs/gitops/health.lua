-- Argo CD: the health of any object of Merkhet's.
local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "It is being deleted")
end
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not seen this spec yet")
end
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
if found.Stalled ~= nil and found.Stalled.status == "True" then
  return health("Degraded", found.Stalled.message)
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return health("Suspended", "spec.suspend is set")
end
local ready = found.Ready
if ready == nil then
  return health("Progressing", "Nothing is known yet")
end
if ready.status == "True" then
  return health("Healthy", ready.message)
end
if ready.reason == "AwaitingApproval" then
  return health("Suspended", ready.message)
end
return health("Progressing", ready.message)
