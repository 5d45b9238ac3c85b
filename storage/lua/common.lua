-- Shared by every script. Money travels as decimal strings and moves by HINCRBY; it never becomes a Lua number,
-- since those are exact only up to 2^53.

local function isMoney(text)
  return type(text) == 'string' and #text <= 19 and (text == '0' or text:find('^[1-9]%d*$') ~= nil)
end

local function checkMoney(text)
  if not isMoney(text) then error('expected an amount, got ' .. tostring(text)) end
  return text
end

local function checkCount(text)
  local number = tonumber(text)
  if not number or number < 0 or number > 9007199254740991 or number ~= math.floor(number) then
    error('expected a count, got ' .. tostring(text))
  end
  return number
end

local function checkId(text)
  if type(text) ~= 'string' or text == '' then error('expected an id') end
  return text
end

-- Whether the amount `left` is below `right`.
local function below(left, right)
  if #left ~= #right then return #left < #right end
  return left < right
end

-- The sum of two amounts, digit by digit.
local function plus(left, right)
  local digits, carry = {}, 0
  local length = math.max(#left, #right)
  for place = 1, length do
    local a = left:byte(#left - place + 1) or 48
    local b = right:byte(#right - place + 1) or 48
    if place > #left then a = 48 end
    if place > #right then b = 48 end
    local sum = a + b - 96 + carry
    carry = sum > 9 and 1 or 0
    digits[length - place + 1] = string.char(sum - carry * 10 + 48)
  end
  return (carry == 1 and '1' or '') .. table.concat(digits)
end

-- Redis' own clock in milliseconds: the one clock of all scripts.
local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function integer(number)
  return string.format('%.0f', number)
end

-- What HINCRBY takes to subtract an amount; it does not know "-0".
local function minus(amount)
  return amount == '0' and '0' or '-' .. amount
end
