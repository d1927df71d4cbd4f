---@meta perigee.http

--- An HTTP client whose connections are kept alive and shared by the worker's policies.
--- Certificates are verified. What is beyond 256 connections of the worker waits for one;
--- beyond the policy's limit of `requests` a call raises. The bodies that a policy's open requests
--- send and have received are 64 MiB together, on each worker; one with more is ELIMIT.
---
--- ```lua
--- local http = require("perigee.http")
---
--- local response, err, name = http.get("http://127.0.0.1:8080/" .. http.escape("a b"), { timeout = "2s" })
--- if not response then
---   return nil, err, name
--- end
--- if response.status ~= 200 then
---   return nil, "EIO: it answered " .. response.status, "EIO"
--- end
--- return response.body
--- ```
local http = {}

---@class perigee.HttpOptions
---@field headers? table<string, string> at most 64
---@field timeout? perigee.Duration for the whole request, "10s" by default
---@field connect_timeout? perigee.Duration "2s" by default
---@field max_bytes? integer of the body, 4 MiB by default, 64 MiB at most; a larger one is ELIMIT
---@field max_redirects? integer 3 by default, 20 at most; with 0 a redirect is the response

---@class perigee.HttpRequest: perigee.HttpOptions
---@field url string http or https
---@field method? string "GET" by default
---@field body? string

---@class perigee.HttpResponse
---@field status integer
---@field headers table<string, string> by lower-case name; repeated ones are joined by ", "
---@field body string
---@field url string where it came from, after redirects

--- Waits for a page, in a fetch. Any status is a response; a failure is one of ECONNECT,
--- ETIMEOUT, ELIMIT, EINVAL (the URL), ECLOSED, EPROTO, EIO, ENOMEM.
---@param url string
---@param options? perigee.HttpOptions
---@return perigee.HttpResponse? response
---@return string? err
---@return string? name
function http.get(url, options) end

--- As get(), with a method and a body.
---@param request perigee.HttpRequest
---@return perigee.HttpResponse? response
---@return string? err
---@return string? name
function http.request(request) end

--- The text percent-encoded for any part of a URL.
---@param text string
---@return string escaped
function http.escape(text) end

return http
