-- What a person does with a language server in neovim, headless: CASE says with which, on which file; the
-- answers are printed as one line of JSON. Run as: nvim --headless -u NONE -S nvim.lua
local case = vim.json.decode(vim.env.CASE)
local seen = {}
local limit = 20000

local function wait(what, condition)
  if not vim.wait(limit, condition, 20) then error("waited in vain for " .. what) end
end

local function go_to(text)
  vim.fn.cursor(1, 1)
  if vim.fn.search("\\V" .. vim.fn.escape(text, "\\"), "cW") == 0 then error("no " .. text) end
end

local function place()
  return vim.api.nvim_buf_get_name(0) .. ": " .. vim.trim(vim.api.nvim_get_current_line())
end

local function request(method, params)
  local answers = vim.lsp.buf_request_sync(0, method, params, limit)
  for _, answer in pairs(answers or {}) do
    if answer.result then return answer.result end
  end
  error(method .. " has no answer")
end

local function run()
  local published = {}
  local shown = vim.lsp.handlers["textDocument/publishDiagnostics"]
  vim.lsp.handlers["textDocument/publishDiagnostics"] = function(error, result, ...)
    published[result.uri] = true
    shown(error, result, ...)
  end
  vim.cmd("edit " .. vim.fn.fnameescape(case.file))
  vim.bo.filetype = case.language
  vim.bo.omnifunc = ""
  local client = vim.lsp.start_client({ cmd = case.cmd, root_dir = vim.fn.getcwd() })
  vim.lsp.buf_attach_client(0, client)
  wait("the server", function() return vim.lsp.get_client_by_id(client) and vim.lsp.get_client_by_id(client).initialized end)
  local buffer = vim.api.nvim_get_current_buf()
  wait("diagnostics", function() return #vim.diagnostic.get(buffer) > 0 end)
  seen.diagnostics = vim.tbl_map(function(d) return (d.lnum + 1) .. ": " .. d.message end, vim.diagnostic.get(buffer))
  for _, text in ipairs(case.definitions) do
    vim.api.nvim_set_current_buf(buffer)
    go_to(text)
    local result = request("textDocument/definition", vim.lsp.util.make_position_params())
    vim.lsp.util.jump_to_location(vim.tbl_islist(result) and result[1] or result, "utf-16")
    seen.definitions = vim.list_extend(seen.definitions or {}, { place() })
  end
  vim.api.nvim_set_current_buf(buffer)
  if case.complete then
    go_to(case.complete)
    vim.fn.cursor(vim.fn.line("."), vim.fn.col(".") + #case.complete)
    local items = vim.lsp.util.text_document_completion_list_to_complete_items(
      request("textDocument/completion", vim.lsp.util.make_position_params()), "")
    seen.completion = vim.tbl_map(function(item) return vim.trim(item.abbr) end, items)
  end
  if case.symbols then
    local wanted
    wait("symbols", function()
      local found = request("workspace/symbol", { query = case.symbols })
      wanted = vim.tbl_map(function(symbol) return symbol.name .. " " .. vim.uri_to_fname(symbol.location.uri) end, found)
      return #wanted > 0
    end)
    seen.symbols = wanted
  end
  if case.rename then
    go_to(case.rename[1])
    local params = vim.lsp.util.make_position_params()
    params.context = { includeDeclaration = true }
    -- An index in the background is not there at once.
    wait("references", function()
      local names = {}
      for _, place in ipairs(request("textDocument/references", params)) do names[vim.uri_to_fname(place.uri)] = true end
      seen.references = vim.tbl_keys(names)
      table.sort(seen.references)
      return #seen.references >= case.rename[3]
    end)
    params.newName = case.rename[2]
    vim.lsp.util.apply_workspace_edit(request("textDocument/rename", params), "utf-16")
  end
  if case.format then
    local params = { textDocument = vim.lsp.util.make_text_document_params(), options = { tabSize = 4, insertSpaces = true } }
    vim.lsp.util.apply_text_edits(request("textDocument/formatting", params), 0, "utf-16")
  end
  vim.cmd("silent wall")
  seen.published = vim.tbl_keys(published)
  seen.buffers = vim.tbl_map(vim.api.nvim_buf_get_name, vim.tbl_filter(vim.api.nvim_buf_is_loaded, vim.api.nvim_list_bufs()))
  vim.lsp.stop_client(client)
  wait("the server's end", function() return vim.lsp.client_is_stopped(client) end)
end

local ok, problem = pcall(run)
if not ok then seen.error = tostring(problem) end
io.stdout:write(vim.json.encode(seen) .. "\n")
vim.cmd("qall!")
