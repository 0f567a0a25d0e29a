package clients

// recipe is what is known of a foreign system; what the configuration says itself goes before.
type recipe struct {
	path   string // after the configured address
	method string
	body   string
	fields Fields
}

// recipes are the systems that are known.
//
// bitrix24: the address is that of an incoming webhook with the right telephony, https://COMPANY.bitrix24.ru/rest/USER/SECRET/, which is
// itself the credential and so belongs into url_file. telephony.externalCall.searchCrmEntities tells by one request the contacts, companies and
// leads with a number, the one that Bitrix24 itself would take first, each with its name and its responsible user; the other
// way, crm.duplicate.findbycomm and then crm.contact.get, crm.company.get or crm.lead.get, takes two to four requests of the two a second
// that Bitrix24 allows, and needs the right to read the whole CRM. Responsible is who has the first; who has another with the same
// number has access. Users are told by Bitrix24's number of them, so employees.ids says who is who.
// (apidocs.bitrix24.com/api-reference/telephony/telephony-external-call-search-crm-entities.html; /error-codes.html; /settings/performance/limits.html)
//
// 1c: an HTTP service that a 1C:Enterprise base publishes, asked with GET …?phone=79161234567 and a header from headers_file. Its answer,
// in UTF-8 with or without a byte order mark, is of the form that we define:
//
//	{"Найден": true, "Наименование": "ООО Ромашка", "Ответственный": "anna", "Доступ": ["boris"]}
//	{"Найден": false}
var recipes = map[string]recipe{
	"bitrix24": {
		path: "telephony.externalCall.searchCrmEntities.json", method: "POST", body: `{"PHONE_NUMBER": "{digits}"}`,
		fields: Fields{Found: "result.#", Name: "result.0.NAME", Responsible: "result.0.ASSIGNED_BY_ID", Access: "result.#.ASSIGNED_BY_ID"},
	},
	"1c": {
		path: "?phone={digits}", method: "GET",
		fields: Fields{Found: "Найден", Name: "Наименование", Responsible: "Ответственный", Access: "Доступ"},
	},
}
