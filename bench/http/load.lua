-- What wrk sends: clone requests, each with a container id and a body of its own.
-- Arguments: requests a second (0: as fast as answers come), project id, API key.
-- The last line of the output is JSON: times in microseconds, `late` the sends that were over 5 ms behind their time.
local ffi = require("ffi")
ffi.cdef [[
typedef struct { long seconds; long nanoseconds; } clonepost_time;
int clock_gettime(int clock, clonepost_time *now);
]]

local MONOTONIC, LATE_MS = 1, 5
local now = ffi.new("clonepost_time")
local run, project, sent = "", "", 0
local threads = {}
late = 0

local function now_ms()
    ffi.C.clock_gettime(MONOTONIC, now)
    return tonumber(now.seconds) * 1000 + tonumber(now.nanoseconds) / 1000000
end

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    local per_second = tonumber(args[1])
    project = args[2]
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["X-Api-Key"] = args[3]
    now_ms()
    run = string.format("%08x-%04x", tonumber(now.seconds) % 2 ^ 32, tonumber(now.nanoseconds) % 2 ^ 16)
    if per_second > 0 then
        -- One schedule for all connections: whoever is free takes the next time in it.
        local following, gap = now_ms(), 1000 / per_second
        delay = function()
            following = following + gap
            local wait = following - now_ms()
            if wait < -LATE_MS then
                late = late + 1
            end
            return math.max(0, math.ceil(wait))
        end
    end
end

function request()
    sent = sent + 1
    local path = string.format("/v1/content/%s-4000-8000-%012x/clone-from-post", run, sent)
    local body = string.format(
        '{"projectId":"%s","sourcePlatformPostId":"7301","variations":3,'
            .. '"overrides":{"caption":"Nothing on my shelf did what this one bottle did, day %012d"}}',
        project, sent)
    return wrk.format("POST", path, nil, body)
end

function done(summary, latency, requests)
    local errors, behind = summary.errors, 0
    for _, thread in ipairs(threads) do
        behind = behind + thread:get("late")
    end
    print(string.format(
        '{"requests":%d,"duration":%d,"refused":%d,"broken":%d,"late":%d,"p50":%d,"p99":%d,"max":%d}',
        summary.requests, summary.duration, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout, behind,
        latency:percentile(50), latency:percentile(99), latency.max))
end
