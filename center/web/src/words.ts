// Everything the page says, in English and Urdu. {names} are filled in; what a post or a target sent stays as it was sent.

export type Language = "en" | "ur";

const ENGLISH = {
  title: "Sarhad: live map",
  tracks: "Tracks",
  claims: "Claims",
  posts: "Posts",
  language: "Language: change to Urdu",
  live: "live",
  connecting: "connecting",
  stale: "no news",
  reconnecting: "reconnecting",
  old_picture: "The line to the center is down. What you see is as of {time}.",
  no_post: "No post has reported.",
  nothing_seen: "Nothing seen.",
  one_track: "1 track.",
  many_tracks: "{count} tracks.",
  sees: "{post} can see: {seeing}.",
  partly: "{post} can see: {seeing}. It cannot see with: {blind}.",
  blind: "{post} is blind: {blind}.",
  hears: "{post} hears only what broadcasts.",
  silent: "{post} is silent: what it sees is not known.",
  gone: "{post} is gone: what it sees is not known.",
  unknown_sight: "{post} has not yet said what it can see.",
  ok: "ok",
  waiting: "never heard",
  silent_state: "silent",
  lost: "lost",
  degraded: "degraded",
  blind_state: "blind",
  gone_state: "gone",
  drone: "drone",
  bird: "bird",
  airplane: "airplane",
  helicopter: "helicopter",
  unknown: "unknown",
  confirmed: "confirmed",
  coasting: "coasting",
  coasting_means: "not seen just now; its place is predicted",
  track: "Track {number}",
  number: "No.",
  class_name: "Class",
  height: "Height",
  speed: "Speed",
  seen: "Seen",
  status: "Status",
  post: "Post",
  close: "Close",
  no_tracks: "No tracks.",
  no_claims: "No claims.",
  existence: "It exists",
  likely_class: "What it may be",
  position: "Position",
  direction: "Direction",
  direction_only: "direction only",
  direction_text: "Seen from {sensor} at azimuth {azimuth}, elevation {elevation}. Its range is not known: between {near} and {far} (90 %).",
  height_text: "{height} above the WGS-84 ellipsoid",
  above_post: "{height} above the post",
  below_post: "{height} below the post",
  course: "Course",
  climb: "Climb",
  uncertainty: "Uncertainty, 95 %",
  seen_by: "Seen by",
  last_seen: "Last seen",
  ago: "{seconds} s ago",
  revision: "Revision",
  why: "Why",
  why_chosen: "{sensor} at {time}: {count} of its detections lay near enough; the nearest fits with a squared distance of {distance} σ².",
  why_none: "{sensor} at {time}: none of its detections fitted.",
  why_silent: "Looked there and reported nothing: {sensors}.",
  why_against: "Speaks against it: {sensors}.",
  says_of_itself: "What it says of itself",
  claim_text: "Claims to be {identity} here: unverified.",
  nobody: "unnamed",
  agrees: "Our measurements agree with the claimed place.",
  contradicts: "Our measurements contradict the claimed place.",
  not_testable: "We have no measurement to test it with.",
  without_track: "No sensor of ours sees anything there.",
  operator: "claimed operator",
  operator_text: "It says its operator is at {place}: unverified.",
  claimed_kind: "Claimed kind: {kind}.",
  claimed_status: "Claimed status: {status}.",
  transmitter: "Transmitter {address}, heard by {sensor}.",
  claimed_place: "Claimed place: {place}.",
  last_reading: "last reading {seconds} s ago",
  no_reading: "no reading yet",
  decoded: "decoded",
  rejected: "rejected",
  dropped: "dropped",
  sensors: "Sensors",
  not_aligned: "mounting not measured: directions ± 5°",
  own_position: "Own receiver {sensor}: {fix}, {count} satellites",
  from_survey: "{distance} from the surveyed place",
  clock_untrusted: "The post's clock is not trusted: its times may be wrong.",
  outbox: "Messages not yet acknowledged",
  memory: "Memory",
  temperature: "Temperature",
  as_of: "as of {time}",
  legend: "Signs",
  legend_claim: "claim, unverified",
  legend_operator: "claimed operator, unverified",
  legend_direction: "direction only, range unknown",
  legend_ellipse: "95 % area",
  legend_leader: "where it will be in 5 s",
  coasting_sign: "dashed: coasting",
  fit: "Show all posts",
  map: "Map",
  comma: ", ",
  no_post_health: "No post has said how it is.",
};

export type Word = keyof typeof ENGLISH;

const URDU: Record<Word, string> = {
  title: "سرحد: براہِ راست نقشہ",
  tracks: "ٹریک",
  claims: "دعوے",
  posts: "چوکیاں",
  language: "زبان: انگریزی میں بدلیں",
  live: "براہِ راست",
  connecting: "رابطہ ہو رہا ہے",
  stale: "کوئی خبر نہیں",
  reconnecting: "دوبارہ رابطہ ہو رہا ہے",
  old_picture: "مرکز سے رابطہ ٹوٹ گیا ہے۔ یہ تصویر {time} کی ہے۔",
  no_post: "ابھی تک کسی چوکی سے کوئی اطلاع نہیں آئی۔",
  nothing_seen: "کچھ نظر نہیں آیا۔",
  one_track: "1 ٹریک۔",
  many_tracks: "{count} ٹریک۔",
  sees: "{post} دیکھ سکتی ہے: {seeing}۔",
  partly: "{post} دیکھ سکتی ہے: {seeing}۔ ان سے نہیں دیکھ سکتی: {blind}۔",
  blind: "{post} کچھ نہیں دیکھ سکتی: {blind}۔",
  hears: "{post} صرف وہی سنتی ہے جو خود نشر کرے۔",
  silent: "{post} خاموش ہے: وہ کیا دیکھ رہی ہے، معلوم نہیں۔",
  gone: "{post} رابطے میں نہیں: وہ کیا دیکھ رہی ہے، معلوم نہیں۔",
  unknown_sight: "{post} نے ابھی نہیں بتایا کہ وہ کیا دیکھ سکتی ہے۔",
  ok: "ٹھیک",
  waiting: "ابھی تک کچھ نہیں سنا",
  silent_state: "خاموش",
  lost: "رابطہ ٹوٹا ہوا",
  degraded: "کمزور",
  blind_state: "کچھ نہیں دیکھ سکتی",
  gone_state: "رابطے میں نہیں",
  drone: "ڈرون",
  bird: "پرندہ",
  airplane: "ہوائی جہاز",
  helicopter: "ہیلی کاپٹر",
  unknown: "نامعلوم",
  confirmed: "تصدیق شدہ",
  coasting: "تخمینی",
  coasting_means: "ابھی نظر نہیں آ رہا؛ جگہ اندازے سے ہے",
  track: "ٹریک {number}",
  number: "نمبر",
  class_name: "قسم",
  height: "بلندی",
  speed: "رفتار",
  seen: "دیکھا گیا",
  status: "حالت",
  post: "چوکی",
  close: "بند کریں",
  no_tracks: "کوئی ٹریک نہیں۔",
  no_claims: "کوئی دعویٰ نہیں۔",
  existence: "موجود ہونے کا امکان",
  likely_class: "یہ کیا ہو سکتا ہے",
  position: "مقام",
  direction: "سمت",
  direction_only: "صرف سمت",
  direction_text: "{sensor} سے سمت {azimuth}، زاویۂ بلندی {elevation}۔ فاصلہ معلوم نہیں: {near} اور {far} کے درمیان (90 %)۔",
  height_text: "WGS-84 بیضوی سطح سے {height} اوپر",
  above_post: "چوکی سے {height} اوپر",
  below_post: "چوکی سے {height} نیچے",
  course: "رخ",
  climb: "چڑھنے کی رفتار",
  uncertainty: "غیر یقینی حد، 95 %",
  seen_by: "کن سینسروں نے دیکھا",
  last_seen: "آخری بار دیکھا گیا",
  ago: "{seconds} سیکنڈ پہلے",
  revision: "نظرِ ثانی",
  why: "کیوں",
  why_chosen: "{sensor}، {time}: اس کی {count} دریافتیں کافی قریب تھیں؛ قریب ترین کا مربع فاصلہ {distance} σ² ہے۔",
  why_none: "{sensor}، {time}: اس کی کوئی دریافت موزوں نہ تھی۔",
  why_silent: "وہاں دیکھا مگر کچھ نہیں بتایا: {sensors}۔",
  why_against: "اس کے خلاف: {sensors}۔",
  says_of_itself: "یہ اپنے بارے میں کیا کہتا ہے",
  claim_text: "یہاں {identity} ہونے کا دعویٰ: غیر تصدیق شدہ۔",
  nobody: "بے نام",
  agrees: "ہماری پیمائش دعویٰ کردہ جگہ سے متفق ہے۔",
  contradicts: "ہماری پیمائش دعویٰ کردہ جگہ کے خلاف ہے۔",
  not_testable: "اسے جانچنے کے لیے ہمارے پاس کوئی پیمائش نہیں۔",
  without_track: "ہمارے کسی سینسر کو وہاں کچھ نظر نہیں آتا۔",
  operator: "آپریٹر، دعوے کے مطابق",
  operator_text: "اس کے مطابق آپریٹر {place} پر ہے: غیر تصدیق شدہ۔",
  claimed_kind: "دعویٰ کردہ قسم: {kind}۔",
  claimed_status: "دعویٰ کردہ حالت: {status}۔",
  transmitter: "ٹرانسمیٹر {address}، {sensor} نے سنا۔",
  claimed_place: "دعویٰ کردہ جگہ: {place}۔",
  last_reading: "آخری پیغام {seconds} سیکنڈ پہلے",
  no_reading: "ابھی تک کوئی پیغام نہیں",
  decoded: "پڑھے گئے",
  rejected: "رد کیے گئے",
  dropped: "چھوٹ گئے",
  sensors: "سینسر",
  not_aligned: "تنصیب ناپی نہیں گئی: سمتیں ± 5°",
  own_position: "اپنا ریسیور {sensor}: {fix}، {count} سیٹلائٹ",
  from_survey: "ناپی گئی جگہ سے {distance} دور",
  clock_untrusted: "چوکی کی گھڑی قابلِ اعتماد نہیں: اس کے اوقات غلط ہو سکتے ہیں۔",
  outbox: "پیغام جن کی رسید ابھی نہیں ملی",
  memory: "میموری",
  temperature: "درجۂ حرارت",
  as_of: "{time} تک",
  legend: "نشانات",
  legend_claim: "دعویٰ، غیر تصدیق شدہ",
  legend_operator: "دعویٰ کردہ آپریٹر، غیر تصدیق شدہ",
  legend_direction: "صرف سمت، فاصلہ نامعلوم",
  legend_ellipse: "95 % رقبہ",
  legend_leader: "5 سیکنڈ بعد کی جگہ",
  coasting_sign: "ٹوٹی لکیر: تخمینی",
  fit: "سب چوکیاں دکھائیں",
  map: "نقشہ",
  comma: "، ",
  no_post_health: "کسی چوکی نے ابھی اپنی حالت نہیں بتائی۔",
};

const TABLES: Record<Language, Record<Word, string>> = { en: ENGLISH, ur: URDU };
const ARABIC = /[\u0600-\u06ff]/;
let language: Language = localStorage.getItem("language") === "ur" ? "ur" : "en";

export function current_language(): Language {
  return language;
}

export function use_language(next: Language): void {
  language = next;
  localStorage.setItem("language", next);
  document.documentElement.lang = next;
  document.documentElement.dir = next === "ur" ? "rtl" : "ltr";
}

/** A sentence with its names filled in; in right-to-left text each name keeps its own direction. */
export function say(word: Word, names: Record<string, string | number> = {}): string {
  // an isolate of its own direction: numbers and Latin names run left to right even in Urdu
  const isolate = (text: string) => (language === "ur" ? `${ARABIC.test(text) ? "\u2067" : "\u2066"}${text}\u2069` : text);
  return TABLES[language][word].replace(/\{(\w+)\}/g, (_, name: string) => isolate(String(names[name] ?? "")));
}

const STATES: Record<string, Word> = {
  ok: "ok", waiting: "waiting", silent: "silent_state", lost: "lost", degraded: "degraded", blind: "blind_state", gone: "gone_state",
};
const CLASSES: Record<string, Word> = {
  drone: "drone", bird: "bird", airplane: "airplane", helicopter: "helicopter", unknown: "unknown",
};

export function say_state(state: string): string {
  const word = STATES[state];
  return word ? say(word) : state;
}

export function say_class(name: string): string {
  const word = CLASSES[name];
  return word ? say(word) : name;
}

// Numbers with units: Latin digits in both languages, as instruments show them

export const metres = (value: number): string => (Math.abs(value) >= 10_000 ? `${(value / 1000).toFixed(1)} km` : `${value.toFixed(0)} m`);
export const degrees = (value: number, digits = 0): string => `${value.toFixed(digits)}°`;
export const percent = (value: number): string => `${Math.round(value * 100)} %`;
export const place = (latitude: number, longitude: number): string => `${latitude.toFixed(5)}°, ${longitude.toFixed(5)}°`;
export const utc = (time: string | number): string => `${new Date(time).toISOString().slice(11, 19)} UTC`;
