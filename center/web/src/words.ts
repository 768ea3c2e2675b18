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
  perhaps: "perhaps {name} {share}",
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
  also_seen: "Also track of",
  unconfirmed: "The detections of all posts that see there, taken together, show no such object.",
  group: "Moves together",
  group_sign: "G{number}",
  group_text: "group {number}: tracks {tracks}; {count} objects",
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
  camera_nothing: "{sensor} has found nothing yet.",
  camera_found: "What {sensor} found {seconds} s ago: {found}.",
  own_position: "Own receiver {sensor}: {fix}, {count} satellites",
  from_survey: "{distance} from the surveyed place",
  clock_untrusted: "The post's clock is not trusted: its times may be wrong.",
  outbox: "Messages not yet acknowledged",
  memory: "Memory",
  temperature: "Temperature",
  as_of: "as of {time}",
  legend: "Signs",
  legend_claim: "claim, unverified",
  legend_other: "track of another system, where it was told",
  legend_presence: "something is there; its place is not known",
  legend_operator: "claimed operator, unverified",
  legend_direction: "direction only, range unknown",
  legend_ellipse: "95 % area",
  legend_leader: "where it will be in 5 s",
  coasting_sign: "dashed: coasting",
  fit: "Show all posts",
  map: "Map",
  comma: ", ",
  no_post_health: "No post has said how it is.",
  tentative: "not yet confirmed",
  zoom_in: "Zoom in",
  zoom_out: "Zoom out",
  north_up: "Turn north up",
  sources: "Sources of the map",
  agreement_unknown: "Whether our measurements agree is not known.",
  of_a_message: "message: {reason}",
  kind_airplane: "airplane",
  kind_multirotor: "multirotor",
  kind_gyroplane: "gyroplane",
  kind_hybrid_lift: "hybrid lift",
  kind_ornithopter: "ornithopter",
  kind_glider: "glider",
  kind_kite: "kite",
  kind_free_balloon: "free balloon",
  kind_captive_balloon: "captive balloon",
  kind_airship: "airship",
  kind_parachute: "parachute",
  kind_rocket: "rocket",
  kind_tethered: "tethered",
  kind_ground_obstacle: "obstacle on the ground",
  kind_other: "other",
  claimed_ground: "on the ground",
  claimed_airborne: "airborne",
  claimed_emergency: "emergency",
  claimed_remote_id_failure: "Remote ID fails",
  fix_none: "no fix",
  fix_2d: "2D fix",
  fix_3d: "3D fix",
  fix_differential: "differential fix",
  fix_rtk_float: "RTK float",
  fix_rtk_fixed: "RTK fixed",
  fix_dead_reckoning: "dead reckoning",
  fix_unknown: "fix not known",
  reason_length: "length",
  reason_checksum: "checksum",
  reason_cut: "cut",
  reason_tail: "no end",
  reason_unknown: "unknown",
  reason_field: "field",
  reason_json: "no JSON",
  reason_tlv: "TLV",
  reason_size: "picture size",
  reason_range: "out of range",
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
  perhaps: "شاید {name} {share}",
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
  also_seen: "دیگر چوکیوں کا ٹریک",
  unconfirmed: "وہاں دیکھنے والی تمام چوکیوں کے مشاہدات ملا کر ایسی کوئی چیز نہیں دکھاتے۔",
  group: "ایک ساتھ حرکت",
  group_sign: "گ{number}",
  group_text: "گروہ {number}: ٹریک {tracks}؛ {count} اشیا",
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
  camera_nothing: "{sensor} کو ابھی کچھ نہیں ملا۔",
  camera_found: "{sensor} کو {seconds} سیکنڈ پہلے ملا: {found}۔",
  own_position: "اپنا ریسیور {sensor}: {fix}، {count} سیٹلائٹ",
  from_survey: "ناپی گئی جگہ سے {distance} دور",
  clock_untrusted: "چوکی کی گھڑی قابلِ اعتماد نہیں: اس کے اوقات غلط ہو سکتے ہیں۔",
  outbox: "پیغام جن کی رسید ابھی نہیں ملی",
  memory: "میموری",
  temperature: "درجۂ حرارت",
  as_of: "{time} تک",
  legend: "نشانات",
  legend_claim: "دعویٰ، غیر تصدیق شدہ",
  legend_other: "دوسرے نظام کا ٹریک، جہاں بتایا گیا",
  legend_presence: "یہاں کچھ ہے؛ اس کی جگہ معلوم نہیں",
  legend_operator: "دعویٰ کردہ آپریٹر، غیر تصدیق شدہ",
  legend_direction: "صرف سمت، فاصلہ نامعلوم",
  legend_ellipse: "95 % رقبہ",
  legend_leader: "5 سیکنڈ بعد کی جگہ",
  coasting_sign: "ٹوٹی لکیر: تخمینی",
  fit: "سب چوکیاں دکھائیں",
  map: "نقشہ",
  comma: "، ",
  no_post_health: "کسی چوکی نے ابھی اپنی حالت نہیں بتائی۔",
  tentative: "ابھی تصدیق نہیں ہوئی",
  zoom_in: "قریب کریں",
  zoom_out: "دور کریں",
  north_up: "شمال اوپر کریں",
  sources: "نقشے کے ماخذ",
  agreement_unknown: "معلوم نہیں کہ ہماری پیمائش متفق ہے یا نہیں۔",
  of_a_message: "پیغام: {reason}",
  kind_airplane: "ہوائی جہاز",
  kind_multirotor: "ملٹی روٹر",
  kind_gyroplane: "جائروپلین",
  kind_hybrid_lift: "ہائبرڈ لفٹ",
  kind_ornithopter: "پر ہلانے والا",
  kind_glider: "گلائیڈر",
  kind_kite: "پتنگ",
  kind_free_balloon: "آزاد غبارہ",
  kind_captive_balloon: "بندھا ہوا غبارہ",
  kind_airship: "ایئر شپ",
  kind_parachute: "پیراشوٹ",
  kind_rocket: "راکٹ",
  kind_tethered: "تار سے بندھا",
  kind_ground_obstacle: "زمین پر رکاوٹ",
  kind_other: "کوئی اور",
  claimed_ground: "زمین پر",
  claimed_airborne: "فضا میں",
  claimed_emergency: "ہنگامی حالت",
  claimed_remote_id_failure: "ریموٹ آئی ڈی خراب",
  fix_none: "مقام نہیں ملا",
  fix_2d: "2D مقام",
  fix_3d: "3D مقام",
  fix_differential: "ڈفرینشل مقام",
  fix_rtk_float: "RTK فلوٹ",
  fix_rtk_fixed: "RTK فکسڈ",
  fix_dead_reckoning: "اندازے سے مقام",
  fix_unknown: "مقام کی نوعیت نامعلوم",
  reason_length: "لمبائی",
  reason_checksum: "چیک سم",
  reason_cut: "کٹا ہوا",
  reason_tail: "اختتام نہیں",
  reason_unknown: "نامعلوم",
  reason_field: "خانہ",
  reason_json: "JSON نہیں",
  reason_tlv: "TLV",
  reason_size: "تصویر کا سائز",
  reason_range: "حد سے باہر",
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
  const sentence = is_word(word) ? TABLES[language][word] : String(word); // what this page does not know stays as it was sent
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => isolate(String(names[name] ?? "")));
}

function is_word(text: string): text is Word {
  return Object.hasOwn(ENGLISH, text);
}

/** A word of a post's or a target's vocabulary; as it was sent where this page does not know it. */
function say_one_of(vocabulary: string, sent: string): string {
  const word = `${vocabulary}_${sent}`;
  return is_word(word) ? say(word) : sent;
}

export const say_kind = (sent: string): string => say_one_of("kind", sent);
export const say_claimed_status = (sent: string): string => say_one_of("claimed", sent);
export const say_fix = (sent: string): string => say_one_of("fix", sent);

/** Why frames were rejected; "message length" is a part of a frame whose length is wrong. */
export function say_reason(sent: string): string {
  const part = sent.startsWith("message ") ? sent.slice("message ".length) : null;
  return part === null ? say_one_of("reason", sent) : say("of_a_message", { reason: say_one_of("reason", part) });
}

const STATUSES = ["tentative", "confirmed", "coasting"] as const;
const AGREEMENTS = ["agrees", "contradicts", "not_testable"] as const;

export function say_status(sent: string): string {
  const word = STATUSES.find((status) => status === sent);
  return word ? say(word) : sent;
}

export function say_agreement(sent: string): string {
  const word = AGREEMENTS.find((agreement) => agreement === sent);
  return say(word ?? "agreement_unknown");
}

const STATES: Record<string, Word> = {
  ok: "ok", waiting: "waiting", silent: "silent_state", lost: "lost", degraded: "degraded", blind: "blind_state", gone: "gone_state",
};
const CLASSES: Record<string, Word> = {
  drone: "drone", bird: "bird", airplane: "airplane", helicopter: "helicopter", unknown: "unknown",
};

export function say_state(state: string): string {
  const word = Object.hasOwn(STATES, state) ? STATES[state] : undefined;
  return word ? say(word) : state;
}

export function say_class(name: string): string {
  const word = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  return word ? say(word) : name;
}

export function say_perhaps([name, probability]: [string, number]): string {
  return say("perhaps", { name: say_class(name), share: percent(probability) });
}

// Numbers with units: Latin digits in both languages, as instruments show them

export const metres = (value: number): string => (Math.abs(value) >= 10_000 ? `${(value / 1000).toFixed(1)} km` : `${value.toFixed(0)} m`);
export const degrees = (value: number, digits = 0): string => `${value.toFixed(digits)}°`;
export const percent = (value: number): string => `${Math.round(value * 100)} %`;
export const place = (latitude: number, longitude: number): string => `${latitude.toFixed(5)}°, ${longitude.toFixed(5)}°`;
export function utc(time: string | number): string {
  const date = new Date(time);
  return Number.isFinite(date.getTime()) ? `${date.toISOString().slice(11, 19)} UTC` : "–";
}
