/** Numbers as an Atoma node re-prints them, and which of them survive that unchanged. */

const integerMin = -(2n ** 63n);
const integerMax = 2n ** 64n - 1n;
const digitsMax = 15;
const exponentMax = 22;
const plainExponentMin = -5;
const plainDigitsMax = 16;

/** What the node prints for a number: integers of 64 bits as they are, others as the shortest double. */
export function nodeNumber(text: string): string {
  if (isWholeText(text)) {
    const value = BigInt(text);
    const negativeZero = text.startsWith('-') && value === 0n;
    if (!negativeZero && value >= integerMin && value <= integerMax) return value.toString();
  }
  return printDouble(readDouble(text));
}

const significandMax = 2n ** 64n - 1n;
const powerMax = 308;

/**
 * Reads a double as serde_json does without exact parsing: digits as long as 64 bits hold them, then one multiplication or
 * division by a power of ten, which is a unit off for some numbers of 16 or 17 digits.
 * @throws SyntaxError where the number is too large for a double.
 */
function readDouble(text: string): number {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  const [, sign, whole = '', fraction = '', power = '0'] = match ?? [];
  const wholeDigits = digitsHeld(whole);
  const isWholeCut = wholeDigits < whole.length;
  const digits = whole.slice(0, wholeDigits) + fraction;
  const held = isWholeCut ? wholeDigits : digitsHeld(digits);
  const exponent = Number(power) + whole.length - held;
  const value = scale(Number(BigInt(digits.slice(0, held))), exponent);
  if (!Number.isFinite(value)) throw new SyntaxError('number out of range');
  return sign === '-' ? -value : value;
}

/** How many of the digits fit a 64-bit significand. */
function digitsHeld(digits: string): number {
  const leading = digits.search(/[1-9]/);
  if (leading === -1) return digits.length;
  const held = Math.min(digits.length, leading + 20);
  return BigInt(digits.slice(0, held)) > significandMax ? held - 1 : held;
}

function scale(significand: number, exponent: number): number {
  if (significand === 0) return 0;
  if (exponent >= 0) return exponent > powerMax ? Infinity : significand * powerOfTen(exponent);
  if (-exponent <= powerMax) return significand / powerOfTen(-exponent);
  const rest = -exponent - powerMax;
  return rest > powerMax ? 0 : significand / powerOfTen(powerMax) / powerOfTen(rest);
}

const powerOfTen = (exponent: number) => Number(`1e${exponent}`);

const isWholeText = (text: string) => /^-?\d+$/.test(text);

/** serde_json prints doubles through ryu: always a point or an exponent, the exponent without a plus sign. */
function printDouble(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const { sign, digits, pointAt } = decompose(value);
  if (digits.length <= pointAt && pointAt <= plainDigitsMax) {
    return `${sign}${digits.padEnd(pointAt, '0')}.0`;
  }
  if (pointAt > 0 && pointAt <= plainDigitsMax) {
    return `${sign}${digits.slice(0, pointAt)}.${digits.slice(pointAt)}`;
  }
  if (pointAt > plainExponentMin && pointAt <= 0)
    return `${sign}0.${'0'.repeat(-pointAt)}${digits}`;
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${sign}${digits[0]}${fraction}e${pointAt - 1}`;
}

/** The shortest decimal digits, and how many of them stand before the point. */
function decompose(value: number) {
  const [mantissa = '', exponent = '0'] = Math.abs(value).toExponential().split('e');
  return {
    sign: value < 0 ? '-' : '',
    digits: mantissa.replace('.', ''),
    pointAt: Number(exponent) + 1,
  };
}

/**
 * The text to send instead of a number so that every node reads and prints it alike: the same text where it is safe,
 * else rounded to 15 digits; nothing where the number is too large or small to be safe.
 */
export function safeNumber(text: string): string | undefined {
  if (isWholeText(text) && nodeNumber(text) === text) return text;
  const value = Number(Number(text).toPrecision(digitsMax));
  if (value === 0) return '0';
  if (!Number.isFinite(value)) return undefined;
  const { digits, pointAt } = decompose(value);
  return Math.abs(pointAt - digits.length) <= exponentMax ? printDouble(value) : undefined;
}
