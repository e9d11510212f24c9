// What libphonenumber-js makes of telephone numbers, as Twenty 2.21 asks it: a JSON array of texts on standard input, on
// standard output a JSON array of "+" calling code national number, null where it refuses. Argument: the package's folder.
const { parsePhoneNumberWithError } = require(process.argv[2])

function stored(text) {
	if (text === '') return '' // Twenty asks it for no empty number
	try {
		const phone = parsePhoneNumberWithError(text, { defaultCallingCode: undefined, defaultCountry: undefined })
		return '+' + phone.countryCallingCode + phone.nationalNumber
	} catch (e) {
		return null
	}
}

let input = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', text => { input += text })
process.stdin.on('end', () => process.stdout.write(JSON.stringify(JSON.parse(input).map(stored))))
