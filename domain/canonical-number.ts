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
  return printDouble(Number(text));
}

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
