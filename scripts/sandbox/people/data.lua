-- What the generated contacts are made of: names of many scripts, telephone ranges, codes, words. Data only.
-- A locale has given names `g` and family names `f`, and in `ga` and `fa` their Latin spellings for e-mail addresses;
-- `order` says how a full name is written.

local M = {}

local function words(text)
	local out = {}
	for w in text:gmatch("[^|]+") do
		out[#out + 1] = (w:gsub("^%s+", ""):gsub("%s+$", ""))
	end
	return out
end

local function locale(lang, order, g, f, ga, fa)
	M.locales[#M.locales + 1] = {
		lang = lang,
		order = order,
		g = words(g),
		f = words(f),
		ga = words(ga),
		fa = words(fa),
	}
end

M.locales = {}

-- order: "gf" given family; "fg" family given; "joined" family and given without a space.
locale("en", "gf", "James|Mary|Robert|Patricia|Ada|Grace",
	"Smith|O'Neil|Van Dyke|Lovelace|Hopper|St. John",
	"james|mary|robert|patricia|ada|grace", "smith|oneil|vandyke|lovelace|hopper|stjohn")
locale("es", "gf", "José|María|Ángel|Begoña|Iñaki|Lucía",
	"Núñez Pérez|García|Muñoz|Echeverría|de la Cruz|Ibáñez",
	"jose|maria|angel|begona|inaki|lucia", "nunez|garcia|munoz|echeverria|delacruz|ibanez")
locale("fr", "gf", "François|Zoé|Jérôme|Anaïs|Loïc|Gaëlle",
	"Lefèvre|d'Alembert|Béranger|Château|Noël|Œuvrard",
	"francois|zoe|jerome|anais|loic|gaelle", "lefevre|dalembert|beranger|chateau|noel|oeuvrard")
locale("de", "gf", "Jürgen|Käthe|Björn|Änne|Günther|Sören",
	"Müller|Weiß|Großmann|von Hößlin|Schäfer|Öztürk-Köhler",
	"juergen|kaethe|bjoern|aenne|guenther|soeren", "mueller|weiss|grossmann|vonhoesslin|schaefer|koehler")
locale("pt", "gf", "João|Conceição|Inês|Antônio|Luísa|Simão",
	"Gonçalves|da Conceição|Magalhães|Simões|Assunção|Leitão",
	"joao|conceicao|ines|antonio|luisa|simao", "goncalves|daconceicao|magalhaes|simoes|assuncao|leitao")
locale("it", "gf", "Niccolò|Giosuè|Lucia|Mosè|Desirée|Ugo",
	"D'Amico|Nicolò|Forlì|Cantù|De Niro|Mandalà",
	"niccolo|giosue|lucia|mose|desiree|ugo", "damico|nicolo|forli|cantu|deniro|mandala")
locale("pl", "gf", "Łukasz|Małgorzata|Żaneta|Józef|Świętosława|Grażyna",
	"Wałęsa|Dąbrowska|Żółć|Łęcki|Śliwa|Ćwikła",
	"lukasz|malgorzata|zaneta|jozef|swietoslawa|grazyna", "walesa|dabrowska|zolc|lecki|sliwa|cwikla")
locale("cs", "gf", "Jiří|Božena|Zdeněk|Růžena|Řehoř|Šárka",
	"Dvořák|Nováková|Kučera|Příhoda|Škvorecký|Čapek",
	"jiri|bozena|zdenek|ruzena|rehor|sarka", "dvorak|novakova|kucera|prihoda|skvorecky|capek")
locale("tr", "gf", "Çağla|Işıl|Ömer|Şükrü|Gülşen|İbrahim",
	"Yıldız|Öztürk|Çelik|Güneş|Şahin|Ağaoğlu",
	"cagla|isil|omer|sukru|gulsen|ibrahim", "yildiz|ozturk|celik|gunes|sahin|agaoglu")
locale("vi", "fg", "Văn Đức|Thị Hồng|Quốc Bảo|Minh Châu|Hữu Nghĩa|Bích Ngọc",
	"Nguyễn|Trần|Phạm|Đặng|Vũ|Huỳnh",
	"duc|hong|bao|chau|nghia|ngoc", "nguyen|tran|pham|dang|vu|huynh")
locale("is", "gf", "Þórður|Guðrún|Ægir|Björk|Sigríður|Össur",
	"Þorsteinsson|Guðmundsdóttir|Ólafsson|Ægisdóttir|Briem|Árnason",
	"thordur|gudrun|aegir|bjork|sigridur|ossur", "thorsteinsson|gudmundsdottir|olafsson|aegisdottir|briem|arnason")
locale("hu", "fg", "Győző|Erzsébet|Ödön|Zsófia|Jenő|Ágnes",
	"Kovács|Szűcs|Fülöp|Erdős|Nagy|Őry",
	"gyozo|erzsebet|odon|zsofia|jeno|agnes", "kovacs|szucs|fulop|erdos|nagy|ory")
locale("el", "gf", "Γιώργος|Ελένη|Νίκος|Αικατερίνη|Σωκράτης|Ζωή",
	"Παπαδόπουλος|Καζαντζάκη|Θεοτοκόπουλος|Ξενάκη|Ψαρού|Ωνάσης",
	"giorgos|eleni|nikos|aikaterini|sokratis|zoi", "papadopoulos|kazantzaki|theotokopoulos|xenaki|psarou|onasis")
locale("ru", "gf", "Фёдор|Наталья|Пётр|Юлия|Алексей|Агафья",
	"Достоевский|Щукина|Чайковский|Ежова|Соловьёв|Быстрова",
	"fedor|natalya|petr|yuliya|aleksey|agafya", "dostoevsky|shchukina|chaykovsky|ezhova|solovyov|bystrova")
locale("uk", "gf", "Тарас|Леся|Їжакевич Іван|Євгенія|Ґжегож|Олена",
	"Шевченко|Українка|Ґалаґан|Їжак|Щербак|Гайдай",
	"taras|lesya|ivan|yevheniia|hrzegorz|olena", "shevchenko|ukrainka|galagan|yizhak|shcherbak|haidai")
locale("sr", "gf", "Ђорђе|Љубица|Његош|Џон|Живка|Ћира",
	"Ђорђевић|Љубичић|Његошевић|Шћепановић|Џаџић|Живковић",
	"djordje|ljubica|njegos|dzon|zivka|cira", "djordjevic|ljubicic|njegosevic|scepanovic|dzadzic|zivkovic")
locale("ar", "gf", "محمد|فاطمة|عبد الله|نور|خالد|ليلى",
	"الخوارزمي|بن سينا|الزهراء|درويش|القاسم|حدّاد",
	"mohammed|fatima|abdullah|nour|khaled|layla", "alkhwarizmi|bensina|alzahraa|darwish|alqasim|haddad")
locale("fa", "gf", "پروین|گیتی|چنگیز|ژاله|کیوان|فرهاد",
	"اعتصامی|پهلوان|گلشیری|چوبک|ژیان|کیارستمی",
	"parvin|giti|changiz|jaleh|keyvan|farhad", "etesami|pahlavan|golshiri|choubak|jian|kiarostami")
locale("he", "gf", "יוסף|שרה|דוד|נעמי|אליעזר|מרים",
	"כהן|לוי|בן־גוריון|פרץ|שטרן|עמיחי",
	"yosef|sara|david|naomi|eliezer|miriam", "cohen|levi|bengurion|peretz|stern|amichai")
locale("hi", "gf", "अमित|प्रिया|श्रीकृष्ण|ज्योत्स्ना|ऋषि|लक्ष्मी",
	"शर्मा|चट्टोपाध्याय|श्रीवास्तव|ठाकुर|त्रिपाठी|वर्मा",
	"amit|priya|shrikrishna|jyotsna|rishi|lakshmi", "sharma|chattopadhyay|shrivastava|thakur|tripathi|verma")
locale("bn", "gf", "রবীন্দ্রনাথ|সুচিত্রা|কাজী|তসলিমা|সত্যজিৎ|মৌসুমী",
	"ঠাকুর|সেন|নজরুল|চৌধুরী|রায়|ভট্টাচার্য",
	"rabindranath|suchitra|kazi|taslima|satyajit|mousumi", "thakur|sen|nazrul|chowdhury|ray|bhattacharya")
locale("ta", "gf", "முத்து|லட்சுமி|செல்வன்|கண்ணகி|அருண்|மீனா",
	"குமார்|சுப்பிரமணியன்|பாரதி|இளங்கோ|வள்ளுவர்|நாயகம்",
	"muthu|lakshmi|selvan|kannagi|arun|meena", "kumar|subramanian|bharathi|ilango|valluvar|nayagam")
locale("th", "gf", "สมชาย|กัญญา|ณัฐพล|ปิ่นแก้ว|ธนกฤต|เพ็ญศรี",
	"ศรีสุข|วงศ์ใหญ่|ทองดี|จันทร์เพ็ญ|รัตนกุล|น้ำผึ้ง",
	"somchai|kanya|nattapon|pinkaew|thanakrit|pensri", "srisuk|wongyai|thongdee|chanpen|rattanakul|namphueng")
locale("zh", "joined", "伟|秀英|小明|丽华|建国|雪芹",
	"王|欧阳|司马|诸葛|曹|李",
	"wei|xiuying|xiaoming|lihua|jianguo|xueqin", "wang|ouyang|sima|zhuge|cao|li")
locale("zh-Hant", "joined", "志明|淑芬|麗珠|國華|鳳儀|俊傑",
	"陳|張簡|歐陽|鄭|劉|𠮷田",
	"chihming|shufen|lichu|kuohua|fengyi|chunchieh", "chen|changchien|ouyang|cheng|liu|yoshida")
locale("ja", "joined", "太郎|花子|さくら|健二|ケンジ|美咲",
	"山田|佐々木|髙橋|渡邊|宮澤|小野寺",
	"taro|hanako|sakura|kenji|kenji2|misaki", "yamada|sasaki|takahashi|watanabe|miyazawa|onodera")
locale("ko", "joined", "민준|서연|하늘|지훈|은경|길동",
	"김|이|남궁|박|최|홍",
	"minjun|seoyeon|haneul|jihun|eunkyung|gildong", "kim|lee|namgung|park|choi|hong")
locale("ka", "gf", "გიორგი|ნინო|შოთა|ქეთევან|ვაჟა|თამარ",
	"რუსთაველი|ჭავჭავაძე|ფშაველა|ჯავახიშვილი|ღუდუშაური|წერეთელი",
	"giorgi|nino|shota|ketevan|vazha|tamar", "rustaveli|chavchavadze|pshavela|javakhishvili|gudushauri|tsereteli")
locale("hy", "gf", "Արամ|Անահիտ|Գևորգ|Շուշան|Հովհաննես|Նարե",
	"Խաչատրյան|Պետրոսյան|Թումանյան|Ղազարյան|Ճաղարյան|Ջրբաշյան",
	"aram|anahit|gevorg|shushan|hovhannes|nare", "khachatryan|petrosyan|tumanyan|ghazaryan|chagharyan|jrbashyan")
locale("am", "gf", "አበበ|ሀይሌ|ፀሐይ|ዘውዲቱ|ተስፋዬ|እሌኒ",
	"ቢቂላ|ገብረሥላሴ|ወልደማርያም|ኃይሉ|ጥበቡ|መኮንን",
	"abebe|haile|tsehay|zewditu|tesfaye|eleni", "bikila|gebreselassie|woldemariam|hailu|tibebu|mekonnen")
locale("emoji", "gf", "Zoë 🦊|Kai 👩‍🚀|Mo 🏳️‍🌈|Ana 👨‍👩‍👧‍👦|Leo ♌️|Sky 🌈",
	"Fox|Star ⭐|Wave 🌊|Luna 🌙|Ember 🔥|Stone",
	"zoe|kai|mo|ana|leo|sky", "fox|star|wave|luna|ember|stone")

-- Mobile or fictional ranges that libphonenumber holds for valid: prefix, then how many free digits.
M.phones = {
	{ "US", "+1202555010", 1 }, { "US", "+1212555013", 1 }, { "US", "+1415555017", 1 }, { "US", "+1808555019", 1 },
	{ "CA", "+1416555012", 1 }, { "GB", "+447400", 6 }, { "FR", "+336123", 5 }, { "DE", "+491512", 7 },
	{ "ES", "+34612", 6 }, { "IT", "+39333", 7 }, { "NL", "+31612", 6 }, { "BE", "+32470", 6 }, { "CH", "+41781", 6 },
	{ "AT", "+43664", 6 }, { "SE", "+4670123", 4 }, { "NO", "+47406", 5 }, { "DK", "+45321", 5 }, { "FI", "+35841", 7 },
	{ "PL", "+48512", 6 }, { "CZ", "+420601", 6 }, { "GR", "+30691", 7 }, { "PT", "+351912", 6 }, { "IE", "+35385", 7 },
	{ "RU", "+7912", 7 }, { "UA", "+38050", 7 }, { "TR", "+90501", 7 }, { "IL", "+97250234", 4 }, { "SA", "+96651", 7 },
	{ "AE", "+97150", 7 }, { "EG", "+20100", 7 }, { "IN", "+9181234", 5 }, { "TH", "+6681", 7 }, { "VN", "+84912", 6 },
	{ "ID", "+62812", 6 }, { "PH", "+63905", 7 }, { "CN", "+86131", 8 }, { "JP", "+81901", 7 }, { "KR", "+82102", 7 },
	{ "HK", "+852512", 5 }, { "TW", "+886912", 6 }, { "SG", "+65812", 5 }, { "AU", "+61412", 6 }, { "NZ", "+6421", 7 },
	{ "ZA", "+2771", 7 }, { "NG", "+234802", 7 }, { "KE", "+254712", 6 }, { "BR", "+55119", 8 }, { "MX", "+52222", 7 },
	{ "AR", "+54911234", 5 }, { "CO", "+57321", 7 }, { "GE", "+9955551234", 2 }, { "AM", "+37477", 6 },
	{ "IR", "+98912", 7 }, { "PK", "+92301", 7 }, { "BD", "+88018", 8 }, { "ET", "+25191", 7 }, { "HU", "+3620", 7 },
	{ "RO", "+40712", 6 },
	{ "IS", "+354611", 4 },
}

M.categories = {
	A = "A1_CLOSE_FAMILY|A2_EXTENDED_FAMILY|A3_IN_LAWS",
	B = "B1_CLOSE_FRIEND|B2_FRIEND|B3_ACQUAINTANCE",
	C = "C1_COLLEAGUE|C2_MANAGER|C3_FORMER_COLLEAGUE",
	D = "D1_CLIENT|D2_PROSPECT|D3_PARTNER",
	E = "E1_SUPPLIER|E2_CONTRACTOR",
	F = "F1_DOCTOR|F2_LAWYER|F3_ACCOUNTANT",
	G = "G1_TEACHER|G2_CLASSMATE",
	H = "H1_PUBLIC_OFFICE|H2_PRESS",
	X = "X1_UNSORTED",
}
M.category_order = words("A|B|C|D|E|F|G|H|X")
for code, list in pairs(M.categories) do
	M.categories[code] = words(list)
end

M.relationships = words("family|friend|professional|service|community|unknown")
M.suffixes = words("Jr.|Sr.|II|III|IV|PhD|MD|Esq.|OBE")
M.titles = words("Dr.|Prof.|Senator|Mx.|Sra.|Herr|Mme|Sir|Rev.")
M.middles = words("A.|Maria|José|van|Ångström|Q.|de|Lee|Søren")
M.nicknames = words("Bob|Mimi|小王|Лёша|Pepe|Żabka|\"The Rock\"|ヒロ|Ñato|🦄")
M.jobs = words([[Engineer|Chief Executive Officer|Réalisatrice|Buchhändlerin|Инженер|医師|Contador público|مهندس|
Poet & painter|R&D <lead>|VP, Sales|Software engineer (C/C++)|"Chief happiness officer"|Ērgļu pētnieks]])
M.departments = words("Research|Ventas|Qualität|研究開発|Финансы|Legal|Customer success|R&D|—")
M.organizations = words([[Acme, Inc.|Straße & Söhne GmbH|株式会社サンプル|ООО «Ромашка»|Café Ñandú S.A.|شركة المثال|Example LLC|
O'Reilly's Garage|Ål og Øl A/S|Ἀκαδημία|삼성예제|Fjörð ehf.|100% Juice Co.|Back\Slash Ltd]])
M.notes = {
	"Met at the conference in Zürich.\nFollow up in spring.",
	"Prefers e-mail.\n\nAllergic to peanuts — ask about Maya & Tomás.",
	"電話は午後に。\n会議室Bで会った。",
	"Родился в Одессе,\nживёт в Риге.",
	"\"Quoted\" 'text', back\\slash, percent %s and {braces}.\n\tindented line\n",
	"قابلته في المكتبة.\nيتكلم ثلاث لغات.",
	"Combining: e\u{301} n\u{303} a\u{30a}; ligature: ﬁ; zero-width:\u{200b}|joiner.",
	"one line",
	"Line separator\u{2028}paragraph\u{2029}end. Nul is spelt NUL here. 🎉🎂",
	"Long: " .. ("lorem ipsum dolor sit amet, consectetur adipiscing elit; "):rep(12),
}
M.domains = words("example.com|example.org|example.net|mail.example.com|post.example.org")

return M
