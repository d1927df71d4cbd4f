---@meta perigee.http

--- An HTTP client whose connections are kept alive and shared by the worker's policies.
--- Certificates are verified. At most 2,048 requests of a policy are open at a time; what
--- is beyond 256 connections of the worker waits for one.
local http = {}

---@class perigee.HttpOptions
---@field headers? table<string, string>
---@field timeout? string|number for the whole request, "10s" by default; numbers are milliseconds
---@field connect_timeout? string|number "2s" by default
---@field max_bytes? integer of the body, 4 MiB by default, 64 MiB at most; a larger one is ELIMIT
---@field max_redirects? integer 3 by default; with 0 a redirect is the response

---@class perigee.HttpRequest: perigee.HttpOptions
---@field url string http or https
---@field method? string "GET" by default
---@field body? string

---@class perigee.HttpResponse
---@field status integer
---@field headers table<string, string> by lower-case name; repeated ones joined by ", "
---@field body string
---@field url string where it came from after redirects

--- Waits for a page. Any status is a response; a failure is one of ECONNECT, ETIMEOUT,
--- ELIMIT, EINVAL (the URL), ECLOSED, EPROTO, EIO, ENOMEM.
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
---@return string
function http.escape(text) end

return http
